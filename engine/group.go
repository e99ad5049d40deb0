package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"rhumb/catalog"
	"rhumb/types"
)

// groupFile names the file in a dataflow's directory that says which queries run in it. They stay together: their journal is one. Its first line is the
// hash of the rest: a damaged name would read as a query that was dropped.
const groupFile = "queries.json"

// saveGroup writes a dataflow's queries, durably, before it makes its first step.
func (e *Engine) saveGroup(g *flow) error {
	var members []string
	for _, o := range g.objects {
		members = append(members, member(o))
	}
	b, err := json.Marshal(members)
	if err != nil {
		return err
	}
	b = append(groupSum(b), b...)
	dir := e.flowDir(g.id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return types.Errorf(types.CodeIO, "could not create %s: %s", dir, err)
	}
	path := filepath.Join(dir, groupFile)
	if err := writeFile(path, b); err != nil {
		return types.Errorf(types.CodeIO, "could not write %s: %s", path, err)
	}
	return nil
}

// groupSum is the line before the content of a group file.
func groupSum(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(hex.AppendEncode(nil, sum[:]), '\n')
}

// writeFile replaces a file so that after a crash either the old or the new one is there.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if serr := f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	return err
}

// loadGroups reads which queries run together, upstream before downstream.
func (e *Engine) loadGroups(snap *catalog.Snapshot) ([]*flow, error) {
	root := filepath.Join(e.cfg.Dir, "flows")
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, types.Errorf(types.CodeIO, "could not read %s: %s", root, err)
	}
	var groups []*flow
	for _, entry := range entries {
		g, err := e.loadGroup(entry.Name(), snap)
		if err != nil {
			return nil, err
		}
		if g != nil {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *flow) int { return int(a.objects[0].Number) - int(b.objects[0].Number) })
	return groups, nil
}

// member names a query among all that there ever are: another version is another query.
func member(o *catalog.Object) string { return fmt.Sprintf("%d.%d", o.Number, o.Version) }

// loadGroup reads one. Queries that have been dropped or replaced are left out; a dataflow without queries is removed: a DROP was cut short.
func (e *Engine) loadGroup(id string, snap *catalog.Snapshot) (*flow, error) {
	path := filepath.Join(e.flowDir(id), groupFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if files, _ := os.ReadDir(e.flowDir(id)); len(files) > 0 {
			return nil, types.Errorf(types.CodeDataCorrupted, "the file %s is missing", path)
		}
		return nil, e.purge(id) // a CREATE was cut short before anything was computed
	}
	if err != nil {
		return nil, types.Errorf(types.CodeIO, "could not read %s: %s", path, err)
	}
	var members []string
	_, body, _ := bytes.Cut(b, []byte("\n"))
	err = errors.New("its checksum is wrong")
	if bytes.Equal(b, append(groupSum(body), body...)) {
		err = json.Unmarshal(body, &members)
	}
	if err != nil {
		return nil, types.Errorf(types.CodeDataCorrupted, "the file %s cannot be used: %s", path, err).
			WithHint("Restore the directory from a backup, or drop and create its queries again.")
	}
	g := &flow{id: id}
	for _, o := range objects(snap) {
		if o.IsDerived() && slices.Contains(members, member(o)) {
			g.objects = append(g.objects, o)
		}
	}
	if len(g.objects) == 0 {
		return nil, e.purge(id)
	}
	return g, nil
}
