package kafka

import (
	"testing"

	"rhumb/connectors"
)

// Every option's default and example must be valid, and every option documented.
func TestOptionSpecs(t *testing.T) {
	for _, spec := range []connectors.Spec{SourceOptions, StreamOptions, ViewOptions} {
		if _, err := spec.Resolve(nil); err != nil {
			t.Errorf("%s: %v", spec.Title, err)
		}
		for _, o := range spec.Options {
			if o.Doc == "" || o.Example == "" {
				t.Errorf("%s: %s has no documentation or example", spec.Title, o.Name)
			}
			if _, err := spec.Resolve(map[string]string{o.Name: o.Example}); err != nil {
				t.Errorf("%s: the example of %s: %v", spec.Title, o.Name, err)
			}
		}
	}
	got, _ := SourceOptions.Resolve(nil)
	o := connectors.Options(got)
	if o.Int("partitions") != 1 || o.Duration("idle_timeout").Seconds() != 30 || o.Duration("max_future").Minutes() != 5 || o.String("format") != "json" {
		t.Fatal(o)
	}
	view, _ := ViewOptions.Resolve(nil)
	stream, _ := StreamOptions.Resolve(nil)
	if view["lineage_limit"] != "20" || stream["lineage_limit"] != "100" || stream["partitions"] != "1" {
		t.Fatal(view, stream)
	}
}
