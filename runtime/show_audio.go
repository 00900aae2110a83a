package runtime

import (
	"encoding/binary"
	"io"
	"math"
)

const (
	audioRate = 16000         // samples a second
	audioGap  = audioRate / 4 // silence between two clips
)

// audio writes a WAV file with one channel of 16 bits, 16,000 samples a second: clips one after
// another, a quarter of a second apart. Floats are -1 to 1, integers are samples as they are.
func (s *shown) audio(w io.Writer) error {
	full := 1.0
	if !s.elem.IsInt() {
		full = 32767
	}
	var sound []byte
	for r := range s.rows() {
		if r > 0 {
			sound = append(sound, make([]byte, 2*audioGap)...)
		}
		for i := range s.columns() {
			v := s.at(r*s.columns()+i) * full
			if math.IsNaN(v) {
				v = 0
			}
			sound = binary.LittleEndian.AppendUint16(sound, uint16(int16(math.Round(min(max(v, -32768), 32767)))))
		}
	}
	// RIFF: a chunk is four letters, its size, its bytes. The format is PCM (1), channels, rate, bytes a second, bytes a sample, bits.
	head := append([]byte("RIFF"), make([]byte, 4)...)
	head = append(head, "WAVEfmt "...)
	binary.LittleEndian.PutUint32(head[4:], uint32(36+len(sound)))
	for _, v := range []uint32{16, 1 | 1<<16, audioRate, 2 * audioRate, 2 | 16<<16} {
		head = binary.LittleEndian.AppendUint32(head, v)
	}
	head = binary.LittleEndian.AppendUint32(append(head, "data"...), uint32(len(sound)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(sound)
	return err
}
