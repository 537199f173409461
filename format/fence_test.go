package format_test

// atStart returns a copy of b that begins skip bytes behind the fence.
func (f *fence) atStart(b []byte, skip int) []byte {
	in := f.inside()
	copy(in[skip:], b)
	return in[skip : skip+len(b) : skip+len(b)]
}

// atEnd returns a copy of b that ends skip bytes before the fence.
func (f *fence) atEnd(b []byte, skip int) []byte {
	return f.atStart(b, len(f.inside())-len(b)-skip)
}
