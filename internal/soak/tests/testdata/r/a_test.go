package r

func TestRand(t *testing.T) { soak.Rand(1, 1) }
