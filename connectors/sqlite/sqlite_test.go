package sqlite

import (
	"path/filepath"
	"testing"

	"rhumb/connectors"
	"rhumb/connectors/conformance"
)

func openIn(t *testing.T, dir string) connectors.Store {
	t.Helper()
	s, err := Open(filepath.Join(dir, "documents.db"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) { conformance.TestStore(t, openIn) }

// Documents and position are those of one moment, whenever the process is killed.
func TestKilledStoreIsWhole(t *testing.T) { conformance.KillStore(t, openIn, true) }
