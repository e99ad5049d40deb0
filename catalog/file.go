package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"rhumb/types"
)

// The catalog's file is a line that names it and gives the SHA-256 of the rest, and then JSON, for people to read and never to edit.
const (
	fileName   = "catalog.json"
	fileMagic  = "rhumb-catalog sha256 "
	fileFormat = 1
)

// fileBody is the JSON of the file.
type fileBody struct {
	Format  int          `json:"format"`
	DataID  string       `json:"data_directory_id"`
	Seed    uint64       `json:"hash_seed,string"`
	Version uint64       `json:"version"`
	Next    uint32       `json:"next_number"`
	Objects []fileObject `json:"objects"`
	Old     []fileObject `json:"superseded,omitempty"`
}

type fileObject struct {
	Number     uint32            `json:"number"`
	Version    uint32            `json:"version"`
	Name       string            `json:"name"`
	Kind       Kind              `json:"kind"`
	Text       string            `json:"text"`
	Canonical  string            `json:"canonical"`
	Columns    []fileColumn      `json:"columns"`
	Options    map[string]string `json:"options,omitempty"`
	TimeColumn string            `json:"time_column,omitempty"`
	Watermark  string            `json:"watermark,omitempty"`
	EventID    string            `json:"event_id,omitempty"`
	Topic      string            `json:"topic,omitempty"`
	Identity   string            `json:"topic_identity,omitempty"`
	Query      string            `json:"query,omitempty"`
	DependsOn  []uint32          `json:"depends_on,omitempty"`
	Versions   []uint32          `json:"depends_on_versions,omitempty"`
	Key        []string          `json:"key,omitempty"`
}

// fileColumn spells the type by name, so that the file does not depend on the numbers of types.Kind.
type fileColumn struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Mod     int32    `json:"mod,omitempty"`
	Scale   int32    `json:"scale,omitempty"`
	Path    []string `json:"path,omitzero"`
	NotNull bool     `json:"not_null,omitempty"`
	Default string   `json:"default,omitempty"`
	Entity  string   `json:"entity,omitempty"`
	Expr    string   `json:"expr,omitempty"`
}

// encodeFile is the file's content for a snapshot.
func encodeFile(s *Snapshot) ([]byte, error) {
	body := fileBody{Format: fileFormat, DataID: s.dataID, Seed: s.seed, Version: s.version, Next: s.next, Objects: []fileObject{}}
	for _, n := range s.numbers() {
		body.Objects = append(body.Objects, toFile(s.byNumber[n]))
	}
	for _, o := range s.old {
		body.Old = append(body.Old, toFile(o))
	}
	b, err := json.MarshalIndent(body, "", " ")
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	sum := sha256.Sum256(b)
	head := append([]byte(fileMagic), hex.EncodeToString(sum[:])...)
	return append(append(head, '\n'), b...), nil
}

// decodeFile reads what encodeFile wrote; any other bytes are an error.
func decodeFile(b []byte) (*Snapshot, error) {
	rest, ok := bytes.CutPrefix(b, []byte(fileMagic))
	if !ok {
		return nil, corrupted("it does not begin as a catalog does")
	}
	sum, body, ok := bytes.Cut(rest, []byte{'\n'})
	want := sha256.Sum256(body)
	if !ok || string(sum) != hex.EncodeToString(want[:]) {
		return nil, corrupted("its checksum does not match")
	}
	return decodeBody(body)
}

func corrupted(format string, args ...any) error {
	return types.Errorf(types.CodeDataCorrupted, format, args...)
}

// decodeBody reads the JSON and verifies everything that the rest of the program relies on.
func decodeBody(b []byte) (*Snapshot, error) {
	var body fileBody
	if err := json.Unmarshal(b, &body); err != nil {
		return nil, corrupted("%s", err)
	}
	if body.Format != fileFormat {
		return nil, types.Errorf(types.CodeNotInPrerequisite, "its format is %d, this program reads format %d", body.Format, fileFormat)
	}
	s := &Snapshot{dataID: body.DataID, seed: body.Seed, version: body.Version, next: body.Next,
		byName: map[string]*Object{}, byNumber: map[uint32]*Object{}}
	for i := range body.Objects {
		o, err := fromFile(&body.Objects[i], body.Next)
		if err != nil {
			return nil, err
		}
		if s.byName[o.Name] != nil || s.byNumber[o.Number] != nil {
			return nil, corrupted("object %q (%d) is there twice", o.Name, o.Number)
		}
		s.byName[o.Name], s.byNumber[o.Number] = o, o
	}
	for i := range body.Old {
		o, err := fromFile(&body.Old[i], body.Next)
		if err != nil {
			return nil, err
		}
		s.old = append(s.old, o)
	}
	return s, verifyDependencies(s)
}

func verifyDependencies(s *Snapshot) error {
	for _, o := range s.byNumber {
		for i, n := range o.DependsOn {
			if s.at(n, o.Versions[i]) == nil {
				return corrupted("object %q depends on object %d version %d, which is not there", o.Name, n, o.Versions[i])
			}
		}
	}
	return nil
}

func toFile(o *Object) fileObject {
	f := fileObject{Number: o.Number, Version: o.Version, Name: o.Name, Kind: o.Kind, Text: o.Text, Canonical: o.Canonical,
		Columns: []fileColumn{}, Options: o.Options, TimeColumn: o.TimeColumn, Watermark: o.Watermark, EventID: o.EventID,
		Topic: o.Topic, Identity: o.Identity, Query: o.Query, DependsOn: o.DependsOn, Versions: o.Versions, Key: o.Key}
	for _, c := range o.Columns {
		f.Columns = append(f.Columns, fileColumn{Name: c.Name, Type: c.Type.Base().String(), Mod: c.Type.Mod, Scale: c.Type.Scale,
			Path: c.Path, NotNull: c.NotNull, Default: c.Default, Entity: c.Entity, Expr: c.Expr})
	}
	return f
}

func fromFile(f *fileObject, next uint32) (*Object, error) {
	kinds := []Kind{Source, Derived, View, MatView}
	switch {
	case f.Name == "" || f.Number == 0 || f.Version == 0 || f.Number >= next:
		return nil, corrupted("object %q has number %d and version %d", f.Name, f.Number, f.Version)
	case !slices.Contains(kinds, f.Kind):
		return nil, corrupted("object %q is of the unknown kind %q", f.Name, f.Kind)
	case len(f.DependsOn) != len(f.Versions):
		return nil, corrupted("object %q has %d dependencies of %d versions", f.Name, len(f.DependsOn), len(f.Versions))
	}
	o := &Object{Number: f.Number, Version: f.Version, Name: f.Name, Kind: f.Kind, Text: f.Text, Canonical: f.Canonical,
		Options: f.Options, TimeColumn: f.TimeColumn, Watermark: f.Watermark, EventID: f.EventID, Topic: f.Topic,
		Identity: f.Identity, Query: f.Query, DependsOn: f.DependsOn, Versions: f.Versions, Key: f.Key}
	for _, c := range f.Columns {
		t, ok := types.ParseType(c.Type)
		if !ok {
			return nil, corrupted("column %q of %q is of the unknown type %q", c.Name, f.Name, c.Type)
		}
		t.Mod, t.Scale = c.Mod, c.Scale
		o.Columns = append(o.Columns, Column{Name: c.Name, Type: t, Path: c.Path, NotNull: c.NotNull, Default: c.Default,
			Entity: c.Entity, Expr: c.Expr})
	}
	return o, nil
}
