package runtime

import (
	"fmt"
	"os"
	"path/filepath"
)

// export writes what another tool needs to repeat this training: the weights
// that it starts with, and the batch of each feed and step as `NAME.STEP`. The
// files of a `train` that has a name begin with it.
func (t *training) export(in *inputs) error {
	dir := t.r.o.Export
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	prefix := ""
	if t.e.Name != "" {
		prefix = t.e.Name + "."
	}
	if err := t.r.m.save(filepath.Join(dir, prefix+"weights.safetensors"), t.at); err != nil {
		return err
	}
	batches := &tensorFile{}
	for n := t.at.step; n < t.count; n++ {
		for i, f := range in.feeds {
			batch := make([]byte, f.size)
			f.fill(batch, n)
			batches.tensors = append(batches.tensors, tensor{fmt.Sprintf("%s.%d", f.name, n), f.elem, t.e.block.Bufs[in.bufs[i]].Dims, batch})
		}
	}
	return replaceFile(filepath.Join(dir, prefix+"batches.safetensors"), batches.write)
}
