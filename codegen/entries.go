package codegen

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/ir/parallel"
)

// entries lowers the entries of a module, several at a time, and schedules their kernels. While one is
// still with the passes, the kernels of another keep the machine busy; so numbers and names of
// kernels, which follow the order of the entries, come after it.
type entries struct {
	machine *schedule.Machine // nil: nothing is scheduled
	mu      sync.Mutex
	states  []*ir.State
	pages   map[*ir.PlanLaunch]*page
	made    parallel.Memo[scheduled] // by names and text
}

// scheduled is a page after the last step of its schedule.
type scheduled struct {
	kernel *loop.Kernel
	err    error
}

// scheduleOf keeps nothing of the steps between: of all kernels, they are most of what a compilation would hold.
func scheduleOf(page *loop.Kernel, m *schedule.Machine) (*loop.Kernel, error) {
	steps, err := schedule.Run(page, m)
	if err != nil {
		return nil, err
	}
	return steps[len(steps)-1].Kernel, nil
}

// lowerEntries lowers m. ready, where not nil, is called with each entry first; where there is a machine,
// kernels are scheduled for it.
func lowerEntries(m *ir.Module, machine *schedule.Machine, ready func(*ir.Entry) error) (*Built, error) {
	x := &entries{machine: machine, states: m.States, pages: map[*ir.PlanLaunch]*page{}}
	err := parallel.Each(len(m.Entries), runtime.GOMAXPROCS(0), func(i int) error {
		if ready != nil {
			if err := ready(m.Entries[i]); err != nil {
				return err
			}
		}
		return x.add(m.Entries[i])
	})
	if err != nil {
		return nil, err
	}
	p := header(m)
	b := &builder{Built: &Built{Program: p}, entries: x, byText: map[string]int{}, names: map[string]int{}}
	for _, e := range m.Entries {
		out, err := b.entry(e)
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, out)
	}
	return b.Built, nil
}

// add lowers the launches of an entry and schedules what is new of them.
func (x *entries) add(e *ir.Entry) error {
	var launches []*ir.PlanLaunch
	var plans []*ir.Plan
	var of []stacks
	collect := func(g *ir.Graph) {
		found := findStacks(g, x.states)
		eachLaunch(planOf(g).Code, func(l *ir.PlanLaunch) {
			launches = append(launches, l)
			plans = append(plans, g.Plan)
			of = append(of, found)
		})
	}
	collect(e.Graph)
	for _, v := range e.Every {
		if v.Graph != nil {
			collect(v.Graph)
		}
	}
	pages := make([]*page, len(launches))
	err := parallel.Each(len(launches), runtime.GOMAXPROCS(0), func(i int) (err error) {
		pages[i], err = lower(launches[i], func(arg int) bool { return plans[i].Bufs[launches[i].Args[arg].Buf].Home == ir.PlanSym }, of[i])
		return err
	})
	if err != nil {
		return err
	}
	var first []*page // of those with equal text
	seen := map[string]bool{}
	x.mu.Lock()
	for i, p := range pages {
		x.pages[launches[i]] = p
		if !seen[p.text] {
			seen[p.text] = true
			first = append(first, p)
		}
	}
	x.mu.Unlock()
	if x.machine == nil {
		return nil
	}
	return parallel.Each(len(first), runtime.GOMAXPROCS(0), func(i int) error { return x.schedule(first[i]) })
}

func planOf(g *ir.Graph) *ir.Plan {
	if g.Plan == nil {
		panic("codegen: build: pass plan has not run over graph " + g.Name)
	}
	return g.Plan
}

// eachLaunch calls f with the launches of some code.
func eachLaunch(code []ir.PlanInstr, f func(*ir.PlanLaunch)) {
	for _, in := range code {
		if in.Loop != nil {
			eachLaunch(in.Loop.Code, f)
			continue
		}
		f(in.Launch)
	}
}

// schedule schedules p, or takes what was made of a page that is called the same.
func (x *entries) schedule(p *page) error {
	made := x.made.Get(strings.Join(p.names, " ")+"\n"+p.text, func() scheduled {
		k, err := scheduleOf(p.kernel, x.machine)
		return scheduled{k, err}
	})
	p.scheduled = made.kernel
	return made.err
}

// canonical is the text of a kernel in which names are places, so that kernels
// that differ in names and positions only have the same; and the names.
func canonical(k *loop.Kernel) (text string, names []string) {
	var places []*string
	rename := func(name *string, stem string, i int) {
		places, names = append(places, name), append(names, *name)
		*name = fmt.Sprintf("%s%d", stem, i)
	}
	rename(&k.Name, "kernel", 0)
	for i, a := range k.Axes {
		rename(&a.Name, "axis", i)
	}
	for i, x := range k.Bufs {
		rename(&x.Name, "buf", i)
	}
	for i, s := range k.Body {
		if l, ok := s.(*loop.Let); ok {
			rename(&l.Val.Name, "let", i)
		}
	}
	text = k.String()
	for i, p := range places {
		*p = names[i]
	}
	return text, names
}
