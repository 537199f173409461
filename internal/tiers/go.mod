module github.com/pyshm-go/pyshm/internal/tiers

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/pyshm-go/pyshm v0.0.0
	go.yaml.in/yaml/v3 v3.0.6
)

replace github.com/pyshm-go/pyshm => ../..
