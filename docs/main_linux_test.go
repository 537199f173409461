package docs

import (
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/compat/leaktest"
)

// prefix begins the names that these tests choose.
const prefix = "pyshm_tdocs_"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == goProgram {
		shareAndEnd(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	os.Exit(leaktest.Run(m, prefix))
}
