package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// ringsSpoilt are texts of a kernel with a ring, each without something that it needs.
func ringsSpoilt(text string) map[string]string {
	without := func(form string) string { return regexp.MustCompile(form).ReplaceAllString(text, "") }
	spoilt := map[string]string{
		"nobody takes":               without(`take .*\n`),
		"results are not waited for": without(`settle 0 \w+\n`),
	}
	roles, more := strings.Contains(text, "role "), strings.Contains(text, " + 3 <") // more turns than slots are filled before the first
	if !roles {
		spoilt["the first slot is not filled"] = strings.Replace(text, "slot[0,", "slot[1,", 1)
		spoilt["a row too far"] = strings.Replace(text, "slot[0,block,row", "slot[0,block,row + 1", 1)
	} else {
		spoilt["another slot"] = regexp.MustCompile(`slot\[([^,]*) % 4,block`).ReplaceAllString(text, "slot[($1 + 1) % 4,block")
		spoilt["a turn is not asked for"] = regexp.MustCompile(`for (\w+) (\{\s+fill)`).ReplaceAllString(text, "for $1 in 0..3 $2")
		if ended := regexp.MustCompile(`(for \w+ in .*) (\{\s+fill)`); ended.MatchString(text) { // data say how many there are
			spoilt["a turn is not asked for"] = ended.ReplaceAllString(text, "$1 - 1 $2")
		}
	}
	if strings.Contains(text, "for tile") {
		spoilt["the last turn of a tile is not freed"] = regexp.MustCompile(`(settle 0 \w+\n\s+(if .*\n\s+)?)free .*\n`).ReplaceAllString(text, "$1")
	}
	if strings.Contains(text, "multicast") {
		spoilt["a half comes to one point only"] = strings.Replace(text, " multicast", "", 1)
		half := regexp.MustCompile(`(slot\w*\[[^,]*,block\w*(,row\w*)? \+ )worker( % 2)?`)
		spoilt["another half is copied"] = half.ReplaceAllString(text, "${1}(worker + 1) % 2")
		spoilt["both copy one half"] = half.ReplaceAllString(text, "${1}0")
	}
	if strings.Contains(text, "send {") {
		spoilt["a point ends before all is sent"] = without(`sent 0\n`)
		spoilt["another part is sent"] = regexp.MustCompile(`( = sent_Y\[)([^,]*)`).ReplaceAllString(text, "$1($2 + 1) % 2")
		if partsOf(text) > sendSlots {
			spoilt["what is sent is not waited for"] = without(`sent 1\n`)
		}
	}
	if more {
		spoilt["another turn's slot"] = strings.Replace(text, "+ 3) % 4", "+ 2) % 4", 1)
		spoilt["a slot more is filled than there are"] = regexp.MustCompile(`ring (\w+)\[4\]`).ReplaceAllString(text, "ring $1[3]")
	}
	if strings.Contains(text, "yield a + ") { // of what a turn sums up
		spoilt["nobody frees"] = without(`free .*\n`)
		spoilt["slots are freed while they are read"] = regexp.MustCompile(`(settle 0 \w+\n)(\s+free .*\n)`).ReplaceAllString(text, "$2$1")
		spoilt["a turn's sum is added before it is there"] = strings.Replace(text, "settle 0", "settle 1", 1)
	} else if more || roles {
		spoilt["nobody frees"] = without(`free .* - 1\n`)
		spoilt["slots are freed while they are read"] = strings.Replace(text, "settle 1", "settle 2", 1)
	}
	return spoilt
}

// partsOf is how many parts of results the hardware stores for a point.
func partsOf(text string) int {
	n := 1
	for _, form := range []string{`axis tile: (\d+) loop`, `axis part_\d: (\d+) unroll`} {
		if m := regexp.MustCompile(form).FindStringSubmatch(text); m != nil {
			parts, _ := strconv.Atoi(m[1])
			n *= parts
		}
	}
	return n
}

// What the hardware cannot copy as boxes says why, and the schedule that is chosen does without.
func TestBoxesOfTensors(t *testing.T) {
	const plain = `kernel k(in A: bf16[72,136], in B: bf16[136,64], out C: f32[72,64]) {
  axis i: 72, j: 64, l: 136
  C[i,j] = dot[l](A[i,l], B[l,j])
}`
	for _, c := range []struct{ name, old, new, want string }{
		{"whole", "", "", ""},
		{"transposed", "in A: bf16[72,136]", "in A: bf16[136,72]", ""},
		{"a slice", "A[i,l]", "A[i,l + 8]", ""},
		{"a margin of zeros", "A[i,l]", "A[i - 5,l; i - 5 >= 0 & i - 5 < 60]", ""},
		{"fewer than there are", "A[i,l]", "A[i,l; l < 100]", ""},
		{"rows of which the run knows how many", "kernel k(in A", "kernel k(in n: i64[], in A", ""},
		{"computed", "A[i,l]", "A[i,l] * bf16(2.0)", "operand z_a: it is computed, or not stored as it is"},
		{"rows not on a multiple of 16 bytes", "136", "132", "neighbours along dimension 0 of A are 264 bytes apart"},
		{"strides", "bf16[72,136]", "bf16[72,136] strides[144,1]", "A has more than 5 dimensions, or strides of its own"},
		{"every other", "A[i,l]", "A[i,l / 2 * 2]", "does not step evenly along"},
		{"two dimensions that are gone through as one", "bf16[72,136], in B: bf16[136,64], out C: f32[72,64]) {\n  axis i: 72, j: 64, l: 136\n  C[i,j] = dot[l](A[i,l]", "bf16[72,8,17], in B: bf16[136,64], out C: f32[72,64]) {\n  axis i: 72, j: 64, l: 136\n  C[i,j] = dot[l](A[i,l / 17,l % 17]", ""},
		{"two dimensions in another order", "bf16[72,136], in B: bf16[136,64], out C: f32[72,64]) {\n  axis i: 72, j: 64, l: 136\n  C[i,j] = dot[l](A[i,l]", "bf16[72,17,8], in B: bf16[136,64], out C: f32[72,64]) {\n  axis i: 72, j: 64, l: 136\n  C[i,j] = dot[l](A[i,l % 17,l / 17]", "what is left out of A is not what is outside of a tensor"},
		{"bytes that do not lie along the summands", "bf16", "f8e4m3", "what lies side by side in B, along row_1, does not in slot_1"},
		{"a triangle", "A[i,l]", "A[i,l; l <= i]", "what is left out of A is not what is outside of a tensor"},
		{"what comes after a margin", "A[i,l]", "A[i,l; i >= 5]", "what is left out of A is not what is outside of a tensor"},
	} {
		text := strings.ReplaceAll(plain, c.old, c.new)
		switch c.name {
		case "whole":
			text = plain
		case "bytes that do not lie along the summands": // of tiles as wide as the summands of a turn
			text = strings.NewReplacer("136", "256", "64", "128").Replace(text)
		case "every other": // in whole tiles, so that nothing is left out
			text = strings.Replace(text, "l: 136", "l: 128", 1)
		case "transposed":
			text = strings.Replace(text, "A[i,l]", "A[l,i]", 1)
		case "a slice":
			text = strings.Replace(text, "in A: bf16[72,136]", "in A: bf16[72,144]", 1)
		case "rows of which the run knows how many":
			text = strings.Replace(text, "i: 72", "i: n[] <= 72", 1)
		}
		k := parse(t, text)
		steps, err := Run(k, SM90)
		require.NoError(t, err, c.name)
		last := steps[len(steps)-1].Kernel
		require.Contains(t, last.String(), "@"+loop.WGMMA, c.name)
		bulk := ofKind(last.Opts, Bulk)
		if c.want == "" {
			require.Len(t, bulk, 1, c.name)
			require.NotContains(t, last.String(), "commit", c.name)
		} else {
			require.Empty(t, bulk, c.name)
			_, err = Apply(steps[0].Kernel, append(slices.Clone(last.Opts), opt(Bulk, ofKind(last.Opts, Mma)[0].Axis, 0, "")))
			require.ErrorContains(t, err, c.want, c.name)
		}
		args := inputs(k, 3)
		if args["n"] != nil {
			args["n"].I = []int64{71}
		}
		same(t, k, steps[len(steps)-2].Kernel, args)
	}
	k := parse(t, plain)
	_, err := Apply(k, []loop.Opt{opt(Bulk, "z", 0, "")})
	require.ErrorContains(t, err, "z is no product whose operands are staged")
}

// What points cannot make tile by tile says why.
func TestPersistRefuses(t *testing.T) {
	for _, c := range []struct{ name, extent, without, want string }{
		{"no role asks", "300", Roles, "no role of its own fills its ring"},
		{"few tiles", "250", "", "there are 2 tiles for 3 points"},
		{"few tiles, of as many rows as a run has", "L[] <= 250", "", "there are 2 tiles for 3 points"},
	} {
		k := parse(t, fmt.Sprintf(`kernel k(in L: i64[], in A: bf16[384,136], in B: bf16[136,64], out C: f32[384,64]) {
  axis i: %s, j: 64, l: 136
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = z
}`, c.extent))
		steps, err := Run(k, withTile(SM90, "wgmma128x64, 3 processors"))
		require.NoError(t, err, c.name)
		last := steps[len(steps)-1].Kernel
		require.Empty(t, ofKind(last.Opts, Persist), c.name)
		opts := slices.DeleteFunc(slices.Clone(last.Opts), func(o loop.Opt) bool { return o.Kind == c.without })
		_, err = Apply(steps[0].Kernel, append(opts, opt(Persist, "z", 3, "")))
		require.ErrorContains(t, err, c.want, c.name)
	}
}

// Points make many tiles where there are more than processors, and where results and slots have memory side by side.
func TestPersistWhereItFits(t *testing.T) {
	for _, c := range []struct {
		rows     int
		epilogue string
		persists bool
	}{{4096, "bf16(z)", true}, {1024, "bf16(z)", false}, {4096, "bf16(z / (1.0 + exp(-z)))", true}} {
		k := parse(t, fmt.Sprintf(`kernel k(in A: bf16[%[1]d,4096], in B: bf16[4096,4096], out C: bf16[%[1]d,4096]) {
  axis i: %[1]d, j: 4096, l: 4096
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = %[2]s
}`, c.rows, c.epilogue))
		steps, err := Run(k, SM90)
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(last.Opts, Roles), 1)
		require.Equal(t, c.persists, len(ofKind(last.Opts, Persist)) == 1, "%d %s: %v", c.rows, c.epilogue, last.Opts)
	}
}
