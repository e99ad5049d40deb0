package parser

import "strings"

// kwClass is what a keyword may name, as in Postgres's four categories.
type kwClass uint8

const (
	kwNone       kwClass = iota
	kwUnreserved         // any name
	kwColumn             // a column or table, not a function or type
	kwTypeFunc           // a function or type, not a column or table
	kwReserved           // only a label after AS
)

// keyword is a word that Postgres 15's grammar knows (pg_get_keywords()), and Rhumb's QUALIFY.
type keyword struct {
	class  kwClass
	asOnly bool // as a column's label only after AS
}

var keywords = makeKeywords()

func makeKeywords() map[string]keyword {
	m := make(map[string]keyword, 480)
	add := func(class kwClass, asOnly bool, words string) {
		for _, w := range strings.Fields(words) {
			m[w] = keyword{class, asOnly}
		}
	}
	add(kwColumn, true, "char character precision")
	add(kwColumn, false, `between bigint bit boolean coalesce dec decimal exists extract float greatest grouping inout int integer interval
		least national nchar none normalize nullif numeric out overlay position real row setof smallint substring time timestamp treat trim
		values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`)
	add(kwReserved, true, `array as create except fetch for from grant group having intersect into limit offset on order returning to union
		where window with qualify`)
	add(kwReserved, false, `all analyse analyze and any asc asymmetric both case cast check collate column constraint current_catalog
		current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end false foreign in
		initially lateral leading localtime localtimestamp not null only or placing primary references select session_user some symmetric
		table then trailing true unique user using variadic when`)
	add(kwTypeFunc, true, "isnull notnull overlaps")
	add(kwTypeFunc, false, `authorization binary collation concurrently cross current_schema freeze full ilike inner is join left like
		natural outer right similar tablesample verbose`)
	add(kwUnreserved, true, "day filter hour minute month over second varying within without year")
	add(kwUnreserved, false, `abort absolute access action add admin after aggregate also alter always asensitive assertion assignment at
		atomic attach attribute backward before begin breadth by cache call called cascade cascaded catalog chain characteristics checkpoint
		class close cluster columns comment comments commit committed compression configuration conflict connection constraints content
		continue conversion copy cost csv cube current cursor cycle data database deallocate declare defaults deferred definer delete
		delimiter delimiters depends depth detach dictionary disable discard document domain double drop each enable encoding encrypted enum
		escape event exclude excluding exclusive execute explain expression extension external family finalize first following force forward
		function functions generated global granted groups handler header hold identity if immediate immutable implicit import include
		including increment index indexes inherit inherits inline input insensitive insert instead invoker isolation key label language large
		last leakproof level listen load local location lock locked logged mapping match matched materialized maxvalue merge method minvalue
		mode move name names new next nfc nfd nfkc nfkd no normalized nothing notify nowait nulls object of off oids old operator option
		options ordinality others overriding owned owner parallel parameter parser partial partition passing password plans policy preceding
		prepare prepared preserve prior privileges procedural procedure procedures program publication quote range read reassign recheck
		recursive ref referencing refresh reindex relative release rename repeatable replace replica reset restart restrict return returns
		revoke role rollback rollup routine routines rows rule savepoint schema schemas scroll search security sequence sequences
		serializable server session set sets share show simple skip snapshot sql stable standalone start statement statistics stdin stdout
		storage stored strict strip subscription support sysid system tables tablespace temp template temporary text ties transaction
		transform trigger truncate trusted type types uescape unbounded uncommitted unencrypted unknown unlisten unlogged until update vacuum
		valid validate validator value version view views volatile whitespace work wrapper write xml yes zone`)
	return m
}

// Quote writes an identifier so that it reads back as itself: in double quotes unless it is plain.
func Quote(ident string) string {
	plain := ident != ""
	for i := 0; i < len(ident) && plain; i++ {
		c := ident[i]
		plain = c >= 'a' && c <= 'z' || c == '_' || i > 0 && (c >= '0' && c <= '9')
	}
	if k := keywords[ident].class; plain && (k == kwNone || k == kwUnreserved) {
		return ident
	}
	return `"` + strings.ReplaceAll(ident, `"`, `""`) + `"`
}

// quoteString writes a string literal.
func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// contextual reports whether a word that is no keyword of Postgres means something in some place of Rhumb's grammar.
func contextual(word string) bool {
	switch word {
	case "emit", "tumble", "hop", "cumulate", "session", "tumble_rows", "hop_rows", "descriptor", "stream", "watermark", "entity", "purge",
		"match_recognize", "final", "changes", "once", "rearm", "early", "every", "sink", "id", "path", "json", "ignore", "respect", "system_time", "pivot", "unpivot":
		return true
	}
	return false
}
