package sqlite

import (
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"rhumb/types"
)

// createView makes the view that people read, under the object's name, and returns the name that it got: names differ in case in Rhumb but
// not in SQLite, and some are taken.
func createView(conn *sqlite.Conn, o *object, name string) (string, error) {
	view, err := freeName(conn, o, name)
	if err != nil {
		return "", err
	}
	columns := []string{"d.id AS " + quoteName("_id")}
	seen := map[string]bool{"_id": true}
	add := func(expr, name string) {
		for lower := strings.ToLower(name); seen[lower]; lower = strings.ToLower(name) {
			name += "_"
		}
		seen[strings.ToLower(name)] = true
		columns = append(columns, expr+" AS "+quoteName(name))
	}
	for _, c := range o.columns[:o.user] {
		add(readable(c.typ, "d."+c.sql), c.name)
	}
	point := types.T(types.Timestamptz)
	add("d.state", "state")
	add(readable(point, "d.first_event"), "first_event")
	add(readable(point, "d.last_event"), "last_event")
	add(readable(point, "d.detected"), "detected")
	add("d.entities", "entities")
	add("d.events_total", "events_total")
	// Without id and pattern variable where there are none: a merge patch leaves out what is null.
	add(`(SELECT json_group_array(json_patch('{}', json_object(`+
		`'ref', coalesce(t.name, e.value ->> 0) || '/' || (e.value ->> 1) || '/' || (e.value ->> 2), `+
		`'ts', `+readable(point, "(d.first_event + (e.value ->> 3))")+`, `+
		`'as', e.value ->> 5, 'id', nullif(e.value ->> 4, ''))))`+
		` FROM json_each(d.events) AS e LEFT JOIN rhumb_topic AS t ON t.object = e.value ->> 0)`, "events")
	ddl := fmt.Sprintf("CREATE VIEW %s AS SELECT %s FROM %s AS d", quoteName(view), strings.Join(columns, ", "), o.table)
	return view, execScript(conn, ddl)
}

// readable is an SQL expression that shows a column to people; what SQLite's calendar (years 0 to 9999) cannot show stays a number.
func readable(t types.Type, expr string) string {
	switch t.Kind {
	case types.Date:
		return fmt.Sprintf("coalesce(date(%[1]s * 86400, 'unixepoch'), %[1]s)", expr)
	case types.Timestamp, types.Timestamptz:
		zone := ""
		if t.Kind == types.Timestamptz {
			zone = "Z"
		}
		micros := fmt.Sprintf("((%[1]s %% 1000000 + 1000000) %% 1000000)", expr)
		return fmt.Sprintf("coalesce(strftime('%%Y-%%m-%%dT%%H:%%M:%%S', (%[1]s - %[2]s) / 1000000, 'unixepoch') || printf('.%%06d%[3]s', %[2]s), %[1]s)",
			expr, micros, zone)
	}
	return expr
}

// freeName is the name of an object's view.
func freeName(conn *sqlite.Conn, o *object, name string) (string, error) {
	if name = strings.ReplaceAll(name, "\x00", ""); name == "" {
		name = fmt.Sprintf("view_%d", o.number)
	}
	if strings.HasPrefix(strings.ToLower(name), "sqlite_") || strings.HasPrefix(strings.ToLower(name), "doc_") {
		name += "_view"
	}
	for candidate := name; ; candidate = fmt.Sprintf("%s_%d", candidate, o.number) {
		taken := false
		// The bytes of the name are compared as SQLite compares names: ASCII letters without case.
		err := sqlitex.Execute(conn, "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", &sqlitex.ExecOptions{
			Args: []any{candidate}, ResultFunc: func(*sqlite.Stmt) error { taken = true; return nil }})
		if err != nil || !taken {
			return candidate, err
		}
	}
}

// quoteName quotes an identifier. A NUL would end the statement, so it goes.
func quoteName(name string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `"`, `""`) + `"`
}
