package executor

import (
	"fmt"
	"strings"

	"rhumb/planner"
)

// Describe says how a plan runs: the chains of the stateless stage, and the stateful operators with the shards that they are spread over.
func Describe(plan planner.Node) (string, error) {
	_, continuous := plan.(*planner.Output)
	prog, err := build([]planner.Node{plan}, !continuous)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range prog.pipes {
		src := prog.sources[p.source]
		what := "values"
		switch {
		case src.scan != nil:
			what = "rows of " + src.object.Name
		case src.values == nil:
			what = fmt.Sprintf("decode %d columns of %s", len(src.columns), src.object.Name)
		}
		fmt.Fprintf(&b, "chunks: %s%s\n", what, p.describe())
	}
	for _, st := range prog.stages {
		fmt.Fprintf(&b, "%s over %s%s\n", st.name, shards(st.shards), st.next.describe())
	}
	return b.String(), nil
}

// describe says what a pipe does behind its beginning.
func (p *pipe) describe() string {
	s := ""
	for _, t := range p.chain {
		s += " -> " + t.name
	}
	switch {
	case p.to != nil && p.to.shards > 1:
		return s + fmt.Sprintf(" -> exchange by %d keys -> %s", len(p.keys), p.to.name)
	case p.to != nil:
		return s + " -> " + p.to.name
	case p.out.object != nil:
		return s + " -> topic " + p.out.object.Topic
	}
	return s + " -> result"
}

func shards(n int) string {
	if n == 1 {
		return "1 shard"
	}
	return fmt.Sprintf("%d shards", n)
}
