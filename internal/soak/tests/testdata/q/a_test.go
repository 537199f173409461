package q

func TestOther(t *testing.T) {}
