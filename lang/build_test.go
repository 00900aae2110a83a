package lang

import (
	"fmt"
	"mdlc/ir"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	f := os.Getenv("MDL")
	if f == "" {
		t.Skip()
	}
	src, _ := os.ReadFile(f)
	m, ds := Build(f, src, Options{})
	for _, d := range ds {
		fmt.Println(d.Text())
	}
	if m != nil {
		fmt.Println(m.String())
		fmt.Println("VERIFY", ir.VerifyModule(m))
	}
}
