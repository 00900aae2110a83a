package program

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// maxArena bounds every size, so that sums of offsets cannot overflow.
const maxArena = 1 << 46

// Check verifies that every reference of p points at something, that every
// buffer lies inside its home and that every expression can be evaluated.
func (p *Program) Check() error {
	if max(p.Arena, p.Work) > maxArena {
		return fmt.Errorf("%s needs more than %d TiB of memory: a smaller batch or a smaller model would fit", p.Source, maxArena>>40)
	}
	if p.Arena < 0 || p.Work < 0 {
		return fmt.Errorf("program %s: arena of %d and work of %d bytes", p.Source, p.Arena, p.Work)
	}
	if p.Target.Triple == NVPTX && !archName.MatchString(p.Target.Arch()) {
		return fmt.Errorf("program %s: features %q where code for a GPU has one architecture, as sm_80", p.Source, p.Target.Features)
	}
	for i, k := range p.Kernels {
		err := k.check()
		if err == nil {
			err = k.checkPhases(p.Target.Triple == NVPTX)
		}
		if err != nil {
			return fmt.Errorf("kernel %d %s: %w", i, k.Name, err)
		}
	}
	for _, s := range p.States {
		if _, ok := bytesOf(s.Elem.Size(), s.Dims); !ok || len(s.Stack) > len(s.Dims) {
			return fmt.Errorf("state %s: impossible shape %v", s.Name, s.Dims)
		}
	}
	for _, e := range p.Entries {
		for _, v := range e.Every {
			if v.N <= 0 {
				return fmt.Errorf("%s %s: every %d", e.Kind, e.Name, v.N)
			}
		}
		if err := checkExpr(e.Count, nil, true); err != nil {
			return fmt.Errorf("%s %s: count: %w", e.Kind, e.Name, err)
		}
		for i := range e.Needs {
			if err := e.checkNeed(&e.Needs[i]); err != nil {
				return fmt.Errorf("%s %s: need at %s: %w", e.Kind, e.Name, e.Needs[i].Pos, err)
			}
		}
	}
	return p.eachBlock(func(b *Block) error {
		if err := p.checkBlock(b); err != nil {
			return fmt.Errorf("block %s: %w", b.Name, err)
		}
		return nil
	})
}

// checkNeed verifies that n is of lengths that flags set, and of turns of its loops.
func (e *Entry) checkNeed(n *Need) error {
	scope := map[string]int{}
	for _, in := range e.Block.Inputs {
		scope[in.Len] = 0
	}
	for _, t := range n.Turns {
		scope[t.Name] = 0
	}
	var err error
	n.Exprs(func(x *index.Expr) {
		if err == nil && x == nil {
			err = fmt.Errorf("an expression is missing")
		} else if err == nil {
			err = checkExpr(x, scope, false)
		}
	})
	return err
}

func (k *Kernel) check() error {
	if k.Args < 0 || k.Local < 0 || k.Local > maxArena {
		return fmt.Errorf("%d arguments, %d bytes of scratch", k.Args, k.Local)
	}
	for _, ph := range k.Phases {
		if ph.Symbol == "" || ph.Points == nil {
			return fmt.Errorf("a phase without symbol or points")
		}
		if err := checkExpr(ph.Points, nil, true); err != nil {
			return err
		}
	}
	if r := k.Rounds; r != nil {
		if r.From < 0 || r.From >= r.To || r.To > len(k.Phases) || r.Count == nil {
			return fmt.Errorf("rounds of phases %d to %d, of which there are %d", r.From, r.To, len(k.Phases))
		}
		return checkExpr(r.Count, nil, true)
	}
	return nil
}

// What a block of any GPU that we know may have.
const (
	maxThreads = 1024
	maxShared  = 227 << 10
)

var archName = regexp.MustCompile(`^sm_[1-9][0-9]{1,2}a?$`)

// checkPhases verifies what only code for a GPU has.
func (k *Kernel) checkPhases(gpu bool) error {
	if gpu && k.Local > 0 {
		return fmt.Errorf("%d bytes of scratch a worker, which a GPU has not", k.Local)
	}
	if !gpu && k.Rounds != nil {
		return fmt.Errorf("rounds of launches, which a CPU has not")
	}
	for _, ph := range k.Phases {
		switch {
		case !gpu && (ph.Threads != 0 || ph.PerBlock != 0 || ph.Shared != 0):
			return fmt.Errorf("phase %s has blocks of threads, which a CPU has not", ph.Symbol)
		case !gpu && ph.Maps != nil:
			return fmt.Errorf("phase %s has tensor maps, which a CPU has not", ph.Symbol)
		case gpu && (ph.Threads < 1 || ph.Threads > maxThreads || ph.PerBlock < 1 || ph.PerBlock > maxArena || ph.Shared < 0 || ph.Shared > maxShared):
			return fmt.Errorf("phase %s: blocks of %d threads for %d points with %d bytes of shared memory; a GPU takes at most %d threads and %d bytes",
				ph.Symbol, ph.Threads, ph.PerBlock, ph.Shared, maxThreads, maxShared)
		}
		for i := range ph.Maps {
			if err := ph.Maps[i].check(k.Args); err != nil {
				return fmt.Errorf("phase %s: tensor map %d: %w", ph.Symbol, i, err)
			}
		}
	}
	return nil
}

// check holds a tensor map to what the driver asks of one (CUDA's cuTensorMapEncodeTiled), as far as it is known.
func (m *TensorMap) check(args int) error {
	rank, size := len(m.Dims), m.Elem.Size()
	switch {
	case m.Arg < 0 || m.Arg >= args:
		return fmt.Errorf("no argument %d", m.Arg)
	case rank < 1 || rank > 5 || len(m.Strides) != rank-1 || len(m.Box) != rank:
		return fmt.Errorf("%d dimensions, of 5 at most, %d strides and a box of %d", rank, len(m.Strides), len(m.Box))
	case m.Swizzle != 0 && m.Swizzle != 32 && m.Swizzle != 64 && m.Swizzle != 128:
		return fmt.Errorf("there is no swizzle of %d bytes", m.Swizzle)
	}
	for i, e := range m.Dims {
		switch {
		case e == nil:
			return fmt.Errorf("dimension %d has no length", i)
		case i > 0 && (m.Strides[i-1] < 0 || m.Strides[i-1]%16 != 0 || m.Strides[i-1] >= 1<<40):
			return fmt.Errorf("the stride of dimension %d is %d bytes, no multiple of 16 below 2^40", i, m.Strides[i-1])
		case m.Box[i] < 1 || m.Box[i] > 256:
			return fmt.Errorf("a box cannot have %d elements in dimension %d", m.Box[i], i)
		}
		if err := checkExpr(e, nil, true); err != nil {
			return err
		}
	}
	if row := m.Box[0] * size; row%16 != 0 || m.Swizzle != 0 && row > m.Swizzle {
		return fmt.Errorf("a row of the box has %d bytes, no multiple of 16, or more than a swizzle's %d", row, m.Swizzle)
	}
	return nil
}

// lens is the number of lengths that a launch of k must give.
func (k *Kernel) lens() int {
	n := 0
	find := func(name string) {
		if i, err := strconv.Atoi(name[1:]); err == nil && name[0] == 'n' {
			n = max(n, i+1)
		}
	}
	for _, ph := range k.Phases {
		ph.Points.Vars(find)
		for _, m := range ph.Maps {
			for _, e := range m.Dims {
				e.Vars(find)
			}
		}
	}
	if k.Rounds != nil {
		k.Rounds.Count.Vars(find)
	}
	return n
}

// checkExpr verifies that e divides by positive constants only and, unless open, that scope knows its variables.
func checkExpr(e *index.Expr, scope map[string]int, open bool) error {
	if e == nil {
		return nil
	}
	if e.Op == index.Var && !open {
		if _, ok := scope[e.Name]; !ok {
			return fmt.Errorf("unknown symbol %s", e.Name)
		}
	}
	if e.Op == index.Div || e.Op == index.Mod {
		if d, ok := e.Args[1].Const(); !ok || d <= 0 {
			return fmt.Errorf("%s divides by what is not a positive constant", e)
		}
	}
	for _, a := range e.Args {
		if err := checkExpr(a, scope, open); err != nil {
			return err
		}
	}
	return nil
}

func (p *Program) checkBlock(b *Block) error {
	for i := range b.Bufs {
		if err := p.checkBuffer(b, &b.Bufs[i]); err != nil {
			return fmt.Errorf("buffer %d %s: %w", i, b.Bufs[i].Name, err)
		}
	}
	for _, in := range b.Inputs {
		if in.Buf < 0 || in.Buf >= len(b.Bufs) || b.Bufs[in.Buf].Home != HomeInput {
			return fmt.Errorf("input %s: buffer %d is no input", in.Name, in.Buf)
		}
		n, _ := b.Bufs[in.Buf].Bytes()
		if in.Kind == InputStep && n != 4 || in.Kind == InputSeed && n != 8 {
			return fmt.Errorf("input %s: %d bytes are no step or seed", in.Name, n)
		}
	}
	if b.Settled < 0 || b.Settled > len(b.Code) || b.Kept < 0 || b.Kept > maxArena {
		return fmt.Errorf("%d of %d instructions are settled and keep %d bytes", b.Settled, len(b.Code), b.Kept)
	}
	scope := map[string]int{} // symbol to largest value
	if err := addLens(scope, b.Lens); err != nil {
		return err
	}
	for _, in := range b.Inputs {
		if err := checkLens(in.Lens, &b.Bufs[in.Buf], scope); err != nil {
			return fmt.Errorf("input %s: %w", in.Name, err)
		}
	}
	for _, out := range b.Outputs {
		if out.Buf < 0 || out.Buf >= len(b.Bufs) {
			return fmt.Errorf("output %s: no buffer %d", out.Name, out.Buf)
		}
		if buf := &b.Bufs[out.Buf]; (out.Kind == OutputBound || out.Kind == OutputFinite || out.Kind == OutputAssert) && (buf.Elem != loop.U32 || len(buf.Dims) > 0) {
			return fmt.Errorf("check of %s: buffer %d is %s%v, not one u32", out.Name, out.Buf, buf.Elem, buf.Dims)
		}
		err := checkLens(out.Lens, &b.Bufs[out.Buf], scope)
		if err == nil {
			err = checkExpr(out.Len, scope, false)
		}
		if err != nil {
			return fmt.Errorf("output %s: %w", out.Name, err)
		}
	}
	settled := map[string]int{}
	if err := p.checkCode(b, b.Code[:b.Settled], settled); err != nil {
		return fmt.Errorf("of what is settled, where no length is known: %w", err)
	}
	maps.Copy(scope, settled)
	return p.checkCode(b, b.Code[b.Settled:], scope)
}

// checkLens checks the lengths of the axes of a buffer, of which there may be none.
func checkLens(lens []*index.Expr, buf *Buffer, scope map[string]int) error {
	if n := len(lens); n > 0 && n != len(buf.Dims) {
		return fmt.Errorf("%d lengths of %v", n, buf.Dims)
	}
	for _, e := range lens {
		if err := checkExpr(e, scope, false); err != nil {
			return err
		}
	}
	return nil
}

func addLens(scope map[string]int, lens []Len) error {
	for _, l := range lens {
		if l.Max < 0 || l.Max > maxArena {
			return fmt.Errorf("length %s: at most %d", l.Name, l.Max)
		}
		if err := checkExpr(l.Def, scope, false); err != nil {
			return fmt.Errorf("length %s: %w", l.Name, err)
		}
		scope[l.Name] = l.Max
	}
	return nil
}

func (p *Program) checkBuffer(b *Block, buf *Buffer) error {
	n, ok := buf.Bytes()
	if !ok || buf.Offset < 0 || buf.Offset > maxArena {
		return fmt.Errorf("impossible size %v or offset %d", buf.Dims, buf.Offset)
	}
	switch buf.Home {
	case HomeArena:
		if buf.Offset+n > p.Arena {
			return fmt.Errorf("ends at %d, the arena at %d", buf.Offset+n, p.Arena)
		}
	case HomeKept:
		if buf.Offset+n > b.Kept {
			return fmt.Errorf("ends at %d, what is kept at %d", buf.Offset+n, b.Kept)
		}
	case HomeWork:
		if buf.Offset+n > p.Work {
			return fmt.Errorf("ends at %d, the scratch of launches at %d", buf.Offset+n, p.Work)
		}
	case HomeState:
		if buf.State < 0 || buf.State >= len(p.States) {
			return fmt.Errorf("no state %d", buf.State)
		}
		s := p.States[buf.State]
		if m, _ := bytesOf(s.Elem.Size(), s.Dims); n != m || s.Elem != buf.Elem {
			return fmt.Errorf("%s%v where state %s is %s%v", buf.Elem, buf.Dims, s.Name, s.Elem, s.Dims)
		}
	case HomeConst:
		if int64(len(buf.Data)) != n {
			return fmt.Errorf("%d bytes of data for %d", len(buf.Data), n)
		}
	case HomeLen:
		if len(buf.Dims) != 0 || buf.Elem.Size() != 8 || buf.State >= len(b.Lens) {
			return fmt.Errorf("a length is one i64 of the block or of a loop")
		}
	case HomeInput:
	default:
		return fmt.Errorf("unknown home %d", buf.Home)
	}
	return nil
}

func (p *Program) checkCode(b *Block, code []Instr, scope map[string]int) error {
	for i, in := range code {
		var err error
		switch {
		case (in.Launch == nil) == (in.Loop == nil):
			err = fmt.Errorf("neither a launch nor a loop")
		case in.Launch != nil:
			err = p.checkLaunch(b, in.Launch, scope)
		default:
			err = p.checkLoop(b, in.Loop, scope)
		}
		if err != nil {
			return fmt.Errorf("instruction %d: %w", i, err)
		}
	}
	return nil
}

func (p *Program) checkLaunch(b *Block, l *Launch, scope map[string]int) error {
	if l.Kernel < 0 || l.Kernel >= len(p.Kernels) {
		return fmt.Errorf("no kernel %d", l.Kernel)
	}
	k := &p.Kernels[l.Kernel]
	if len(l.Args) != k.Args {
		return fmt.Errorf("kernel %s takes %d arguments, not %d", k.Name, k.Args, len(l.Args))
	}
	if len(l.Lens) < k.lens() {
		return fmt.Errorf("kernel %s takes %d lengths, not %d", k.Name, k.lens(), len(l.Lens))
	}
	for _, e := range l.Lens {
		if e == nil {
			return fmt.Errorf("kernel %s: a length is missing", k.Name)
		}
		if err := checkExpr(e, scope, false); err != nil {
			return err
		}
	}
	for i, r := range l.Args {
		if err := checkRef(b, r, scope); err != nil {
			return fmt.Errorf("kernel %s, argument %d: %w", k.Name, i, err)
		}
	}
	return nil
}

func checkRef(b *Block, r Ref, scope map[string]int) error {
	if r.Buf < 0 || r.Buf >= len(b.Bufs) {
		return fmt.Errorf("no buffer %d", r.Buf)
	}
	if r.Offset == nil {
		return nil
	}
	if err := checkExpr(r.Offset, scope, false); err != nil {
		return err
	}
	// Symbols are bounded one by one, so offsets like (count-1-turn)*stride may
	// seem negative here: only the upper end is certain.
	_, hi := r.Offset.Range(func(name string) (int, int) { return 0, scope[name] })
	if n, _ := b.Bufs[r.Buf].Bytes(); hi < 0 || int64(hi) > n {
		return fmt.Errorf("offset %s reaches %d in %s of %d bytes", r.Offset, hi, b.Bufs[r.Buf].Name, n)
	}
	return nil
}

func (p *Program) checkLoop(b *Block, l *Loop, scope map[string]int) error {
	if l.Count == nil || l.Turn == "" {
		return fmt.Errorf("a loop without count or turn")
	}
	if err := checkExpr(l.Count, scope, false); err != nil {
		return err
	}
	if l.Turns != -1 && (l.Turns < 0 || l.Turns >= len(b.Bufs)) {
		return fmt.Errorf("no buffer %d for the turn", l.Turns)
	}
	if l.Turns >= 0 {
		if n, _ := b.Bufs[l.Turns].Bytes(); n != 4 {
			return fmt.Errorf("buffer %d of %d bytes for the turn", l.Turns, n)
		}
	}
	if _, taken := scope[l.Turn]; taken {
		return fmt.Errorf("symbol %s is taken", l.Turn)
	}
	_, hi := l.Count.Range(func(name string) (int, int) { return 0, scope[name] })
	inner := map[string]int{l.Turn: max(hi-1, 0)}
	for name, most := range scope {
		inner[name] = most
	}
	if err := addLens(inner, l.Lens); err != nil {
		return err
	}
	if (l.While == nil) != (l.Made == "") {
		return fmt.Errorf("a loop with a condition without a symbol for its turns, or the other way round")
	}
	if l.While != nil {
		if err := checkRef(b, *l.While, inner); err != nil {
			return fmt.Errorf("condition of a loop: %w", err)
		}
		if b.Bufs[l.While.Buf].Elem != loop.Bool {
			return fmt.Errorf("condition of a loop: buffer %d holds %s", l.While.Buf, b.Bufs[l.While.Buf].Elem)
		}
		scope[l.Made] = max(hi, 0)
	}
	for _, over := range l.Over {
		if over < 0 || over >= len(b.Bufs) {
			return fmt.Errorf("a turn writes over buffer %d, which there is not", over)
		}
	}
	return p.checkCode(b, l.Code, inner)
}
