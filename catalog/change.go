package catalog

import (
	"slices"
	"strings"

	"rhumb/types"
)

// Clause is what a CREATE says of an object that is there already.
type Clause uint8

// The clauses.
const (
	New         Clause = iota // nothing
	OrReplace                 // OR REPLACE
	IfNotExists               // IF NOT EXISTS
)

// Outcome is what a CREATE did.
type Outcome uint8

// The outcomes.
const (
	Created   Outcome = iota
	Replaced          // the object has the next version
	Unchanged         // it was there with the same text, bound to the same versions: done already
	Skipped           // another one was there, and IF NOT EXISTS was said
)

// Create adds an object and returns it with its number and version. o has neither; it must have been bound against a
// snapshot in which everything that it depends on is as it is now.
func (c *Catalog) Create(o *Object, clause Clause) (*Object, Outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.snap.Load()
	if err := s.current(o); err != nil {
		return nil, 0, err
	}
	was := s.byName[o.Name]
	switch {
	case was == nil:
		made, err := c.add(s, o)
		return made, Created, err
	case sameStatement(was, o) && slices.Equal(was.DependsOn, o.DependsOn) && slices.Equal(was.Versions, o.Versions):
		return was, Unchanged, nil
	case clause == IfNotExists:
		return was, Skipped, nil
	case clause == OrReplace:
		made, err := c.replace(s, was, o)
		return made, Replaced, err
	}
	return nil, 0, existsError(was, o)
}

// sameStatement reports whether two objects were created by the same text, OR REPLACE and IF NOT EXISTS left out.
func sameStatement(a, b *Object) bool {
	return a.Kind == b.Kind && definition(a) == definition(b)
}

func definition(o *Object) string {
	create := "create " + word(o.Kind) + " "
	for _, clause := range []string{"create or replace " + word(o.Kind) + " ", create + "if not exists ", create} {
		if rest, ok := strings.CutPrefix(o.Canonical, clause); ok {
			return rest
		}
	}
	return o.Canonical
}

// existsError says that there is another object of the name, and what can be done.
func existsError(was, o *Object) error {
	e := types.Errorf(types.CodeDuplicateTable, "%s %q already exists", word(was.Kind), o.Name)
	switch {
	case statementKind(was.Kind) != statementKind(o.Kind) || was.Kind != o.Kind:
		return e.WithHint("Choose another name, or DROP %s %s first.", statementKind(was.Kind), o.Name)
	case sameStatement(was, o):
		return e.WithHint("Its text is the same, but what it depends on has been replaced since. CREATE OR REPLACE binds it anew.")
	}
	return e.WithHint("CREATE OR REPLACE %s %s ... replaces it.", statementKind(o.Kind), o.Name)
}

// current verifies that what o was bound to is still what the catalog says.
func (s *Snapshot) current(o *Object) error {
	if len(o.DependsOn) != len(o.Versions) {
		return types.Errorf(types.CodeInternal, "BUG: %q has %d dependencies of %d versions", o.Name, len(o.DependsOn), len(o.Versions))
	}
	for i, n := range o.DependsOn {
		if dep := s.byNumber[n]; dep == nil || dep.Version != o.Versions[i] {
			return types.Errorf(types.CodeNotInPrerequisite, "what %q depends on was changed while the statement was prepared", o.Name).
				WithHint("Repeat the statement.")
		}
	}
	return nil
}

func (c *Catalog) add(s *Snapshot, o *Object) (*Object, error) {
	next := s.edit()
	made := *o
	made.Number, made.Version = s.next, 1
	next.next++
	next.byName[made.Name], next.byNumber[made.Number] = &made, &made
	if err := c.commit(next); err != nil {
		return nil, err
	}
	return &made, nil
}

func (c *Catalog) replace(s *Snapshot, was, o *Object) (*Object, error) {
	if was.Kind != o.Kind {
		return nil, types.Errorf(types.CodeWrongObjectType, "%q is a %s, not a %s", o.Name, word(was.Kind), word(o.Kind)).
			WithHint("DROP %s %s first, or choose another name.", statementKind(was.Kind), o.Name)
	}
	users := s.Dependants(was.Number)
	if i := slices.IndexFunc(users, func(u *Object) bool { return slices.Contains(o.DependsOn, u.Number) }); i >= 0 {
		return nil, types.Errorf(types.CodeInvalidDefinition, "%s %q would depend on itself, through %q", word(o.Kind), o.Name, users[i].Name)
	}
	if slices.Contains(o.DependsOn, was.Number) {
		return nil, types.Errorf(types.CodeInvalidDefinition, "%s %q would depend on itself", word(o.Kind), o.Name)
	}
	if name := lostColumn(was, o); name != "" && len(users) > 0 {
		return nil, types.Errorf(types.CodeDependent, "column %q of %s %q cannot be dropped or change its type because other objects depend on it",
			name, word(o.Kind), o.Name).WithDetail("%s", describe(users, was.Name)).
			WithHint("Drop those first (DROP %s %s CASCADE drops all of them), or keep the column.", statementKind(was.Kind), o.Name)
	}
	next := s.edit()
	made := *o
	made.Number, made.Version = was.Number, was.Version+1
	next.byName[made.Name], next.byNumber[made.Number] = &made, &made
	next.old = append(next.old, was) // forgotten at once if nothing is bound to it
	if err := c.commit(next); err != nil {
		return nil, err
	}
	return &made, nil
}

// lostColumn is a column of the old object that the new one lacks or gives another type.
func lostColumn(was, now *Object) string {
	for _, c := range was.Columns {
		if !slices.ContainsFunc(now.Columns, func(d Column) bool { return d.Name == c.Name && d.Type == c.Type }) {
			return c.Name
		}
	}
	return ""
}

// DropSpec is what a DROP says.
type DropSpec struct {
	Kind     string // as the statement spells it: STREAM, VIEW, MATERIALIZED VIEW
	Names    []string
	IfExists bool
	Cascade  bool
}

// Dropped is what a DROP did.
type Dropped struct {
	Objects []*Object // dependants before what they depend on: the order in which they have to be stopped
	Missing []string  // not there, and IF EXISTS was said
}

// Drop removes objects, all or none. Without Cascade it refuses if something else depends on one of them, and names it.
func (c *Catalog) Drop(spec DropSpec) (Dropped, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.snap.Load()
	var done Dropped
	var named []uint32
	for _, name := range spec.Names {
		o := s.byName[name]
		switch {
		case o == nil && spec.IfExists:
			done.Missing = append(done.Missing, name)
			continue
		case o == nil:
			return Dropped{}, s.unknown(spec.Kind, name)
		case statementKind(o.Kind) != spec.Kind:
			return Dropped{}, types.Errorf(types.CodeWrongObjectType, "%q is not a %s", name, strings.ToLower(spec.Kind)).
				WithHint("Use DROP %s %s.", statementKind(o.Kind), name)
		}
		if !slices.Contains(named, o.Number) {
			named = append(named, o.Number)
			done.Objects = append(done.Objects, o)
		}
	}
	users := s.Dependants(named...)
	if len(users) > 0 && !spec.Cascade {
		return Dropped{}, dependentError(s, done.Objects, users)
	}
	done.Objects = append(done.Objects, users...)
	if len(done.Objects) == 0 {
		return done, nil
	}
	// What depends on another object was created or replaced after it, but its number may be the smaller one: order by dependency.
	done.Objects = dependantsFirst(done.Objects)
	next := s.edit()
	for _, o := range done.Objects {
		delete(next.byName, o.Name)
		delete(next.byNumber, o.Number)
	}
	if err := c.commit(next); err != nil {
		return Dropped{}, err
	}
	return done, nil
}

func (s *Snapshot) unknown(kind, name string) error {
	e := types.Errorf(types.CodeUndefinedTable, "%s %q does not exist", strings.ToLower(kind), name)
	var same []string
	for _, n := range s.Names() {
		if statementKind(s.byName[n].Kind) == kind {
			same = append(same, n)
		}
	}
	if near := types.Suggest(name, same); near != "" {
		e.WithHint("Did you mean %q?", near)
	}
	return e
}

func dependentError(s *Snapshot, targets, users []*Object) error {
	o := targets[0]
	for _, t := range targets {
		if len(s.Dependants(t.Number)) > 0 {
			o = t
			break
		}
	}
	return types.Errorf(types.CodeDependent, "cannot drop %s %q because other objects depend on it", word(o.Kind), o.Name).
		WithDetail("%s", describe(users, o.Name)).WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
}

func describe(users []*Object, name string) string {
	lines := make([]string, len(users))
	for i, u := range users {
		lines[i] = word(u.Kind) + " " + u.Name + " depends on " + name
	}
	return strings.Join(lines, "\n")
}

// dependantsFirst orders objects so that each comes before what it depends on, and otherwise by number, the newest first.
func dependantsFirst(objects []*Object) []*Object {
	left := slices.Clone(objects)
	slices.SortFunc(left, func(a, b *Object) int { return int(b.Number) - int(a.Number) })
	var out []*Object
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(o *Object) bool {
			return !slices.ContainsFunc(left, func(u *Object) bool { return slices.Contains(u.DependsOn, o.Number) })
		})
		i = max(i, 0) // there are no cycles; if there were one, any order does
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}

// statementKind is the kind as statements spell it.
func statementKind(k Kind) string {
	if k == Derived {
		return string(Source)
	}
	return string(k)
}

// word is the kind as messages spell it.
func word(k Kind) string { return strings.ToLower(statementKind(k)) }
