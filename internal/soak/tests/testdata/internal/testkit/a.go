package testkit

func Numpys() { brought() }

func brought() { soak.Length(1, 2) }

func Name() {}
