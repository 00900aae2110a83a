package ir

import (
	"fmt"

	"mdlc/ir/loop"
)

// Verify checks a graph: every type is what the op's rule gives, parameters are
// declared once, regions are closed, symbols are defined.
func Verify(g *Graph) error { return verify(g, nil) }

func verify(g *Graph, outer *Scope) error {
	s := &Scope{Outer: outer}
	for _, y := range g.Syms {
		if err := s.checkSym(y); err != nil {
			return fmt.Errorf("graph %s: %w", g.Name, err)
		}
		s.Syms = append(s.Syms, y)
	}
	declared := map[*Node]bool{}
	keys := map[string]bool{}
	for _, p := range g.Params {
		a, ok := p.Attr.(ParamAttr)
		if !ok || p.Op != OpParam {
			return fmt.Errorf("graph %s: parameter list holds a %s", g.Name, p.Op.Name)
		}
		key := a.Kind.String() + " " + a.Name
		if declared[p] || keys[key] {
			return fmt.Errorf("graph %s: parameter %s %s is declared twice", g.Name, a.Kind, a.Name)
		}
		declared[p], keys[key] = true, true
	}
	for _, n := range g.Nodes() {
		if n.Op == OpParam && !declared[n] {
			return fmt.Errorf("graph %s: parameter %s is not declared", g.Name, n.Attr.Text())
		}
		for _, r := range n.Regions {
			if err := verify(r, s); err != nil {
				return fmt.Errorf("%s: region of %s: %w", n.Pos, n.Op.Name, err)
			}
		}
		t, err := infer(s, n)
		if err == nil && !t.Equal(n.Type) {
			err = fmt.Errorf("%s: type is %s, must be %s", n.Op.Name, n.Type, t)
		}
		if err != nil {
			return fmt.Errorf("%s: graph %s: %w", n.Pos, g.Name, err)
		}
	}
	return nil
}

// VerifyModule checks all graphs of a module, and that what enters and leaves them fits states, feeds and flags.
func VerifyModule(m *Module) error {
	states := map[string]*State{}
	for _, s := range m.States {
		if states[s.Name] != nil {
			return fmt.Errorf("%s: state %s is declared twice", s.Pos, s.Name)
		}
		for k, n := range s.Stack {
			if k >= s.Type.Rank() || s.Type.Dims[k].Size != n {
				return fmt.Errorf("%s: state %s: stack %v of %s", s.Pos, s.Name, s.Stack, s.Type)
			}
		}
		states[s.Name] = s
	}
	for _, e := range m.Entries {
		where := fmt.Sprintf("%s %s", e.Kind, e.Name)
		flags := map[string]bool{}
		for _, f := range e.Flags {
			flags[f.Name] = true
		}
		if e.Graph == nil {
			return fmt.Errorf("%s: %s has no graph", e.Pos, where)
		}
		if err := verifyBlock(e.Graph, states, e.Feeds, flags); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		for _, v := range e.Every {
			if v.N <= 0 {
				return fmt.Errorf("%s: every %d", where, v.N)
			}
			if v.Graph == nil {
				continue
			}
			if err := verifyBlock(v.Graph, states, v.Feeds, flags); err != nil {
				return fmt.Errorf("%s: every %d: %w", where, v.N, err)
			}
		}
	}
	return nil
}

func verifyBlock(g *Graph, states map[string]*State, feeds []Feed, flags map[string]bool) error {
	if err := Verify(g); err != nil {
		return err
	}
	fed := map[string]bool{}
	for _, f := range feeds {
		fed[f.Name] = true
	}
	for _, p := range g.Params {
		a := p.Attr.(ParamAttr)
		switch {
		case a.Kind == ParamValue:
			return fmt.Errorf("%s: parameter %s of a region in a block", p.Pos, a.Name)
		case a.Kind == ParamState && states[a.Name] == nil:
			return fmt.Errorf("%s: there is no state %s", p.Pos, a.Name)
		case a.Kind == ParamState && !states[a.Name].Type.Equal(a.Type):
			return fmt.Errorf("%s: state %s is %s, the graph takes %s", p.Pos, a.Name, states[a.Name].Type, a.Type)
		case a.Kind == ParamFeed && !fed[a.Name]:
			return fmt.Errorf("%s: there is no feed %s", p.Pos, a.Name)
		case a.Kind == ParamFlag && !flags[flagName(a)]:
			return fmt.Errorf("%s: there is no flag %s", p.Pos, a.Name)
		}
	}
	written := map[string]bool{}
	for _, r := range g.Results {
		if r.Value.Type.IsTuple() {
			return fmt.Errorf("%s: result %s is a tuple", r.Pos, r.Name)
		}
		if r.IsCheck() && !r.Value.Type.Equal(TensorOf(loop.U32)) {
			return fmt.Errorf("%s: the check of %s is %s, must be u32[]", r.Pos, r.Name, r.Value.Type)
		}
		switch r.Kind {
		case ResultValue:
			return fmt.Errorf("%s: a block has no result of kind value", r.Pos)
		case ResultState:
			s := states[r.Name]
			if s == nil || written[r.Name] {
				return fmt.Errorf("%s: state %s does not exist, or is written twice", r.Pos, r.Name)
			}
			if !s.Type.Equal(r.Value.Type) {
				return fmt.Errorf("%s: state %s is %s, its new value %s", r.Pos, r.Name, s.Type, r.Value.Type)
			}
			written[r.Name] = true
		}
	}
	return nil
}

func flagName(a ParamAttr) string {
	name, _ := FlagOf(a.Name)
	return name
}
