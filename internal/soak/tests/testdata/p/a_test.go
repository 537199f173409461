package p

func TestLength(t *testing.T) {
	for range soak.Length(1, 2) {
	}
}

func TestSeed(t *testing.T) { soak.Rand(soak.Seed(t), 0) }

func TestHelper(t *testing.T) { testkit.Numpys() }

func TestNone(t *testing.T) { testkit.Name(); Length(); soak.Tally{}.Add() }

func TestMethod(t *testing.T) { x.run() }

func (user) run() { use() }

func TestTable(t *testing.T) {
	for _, row := range rows {
		row()
	}
}

var rows = []func(){use}

func use() { testkit.Numpys() }

func BenchmarkLength(b *testing.B) { use() }

func Length() {}
