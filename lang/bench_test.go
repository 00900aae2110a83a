package lang

import "testing"

func BenchmarkBuildGPT(b *testing.B) {
	src, err := readModel("gpt")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if m, ds := Build("gpt.mdl", []byte(src), Options{}); m == nil {
			b.Fatal(ds[0].Text())
		}
	}
}
