package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rhumb/catalog"
	"rhumb/connectors"
	"rhumb/connectors/file"
	"rhumb/connectors/kafka"
	"rhumb/connectors/sqlite"
	"rhumb/engine"
	"rhumb/executor"
	"rhumb/parser"
	"rhumb/types"
)

var (
	errHelp     = errors.New("help was asked for")
	errReported = errors.New("the error has been printed")
)

// runOptions is the command line of rhumb run.
type runOptions struct {
	data    string
	loads   loadFlags
	format  string
	brokers string
	workers int
	memory  int64 // MiB
	files   []string
}

// load is one --load STREAM=FILE.
type load struct {
	stream, file string
	done         bool
}

type loadFlags []*load

func (l *loadFlags) String() string { return "" }

func (l *loadFlags) Set(v string) error {
	stream, file, ok := strings.Cut(v, "=")
	if !ok || stream == "" || file == "" {
		return fmt.Errorf("want STREAM=FILE, not %q", v)
	}
	*l = append(*l, &load{stream: stream, file: file})
	return nil
}

// runCommand is rhumb run.
func runCommand(ctx context.Context, env *environ, args []string) error {
	var o runOptions
	fs := newFlags("run")
	fs.StringVar(&o.data, "data", "", "`DIR` keeps everything: run again on it to go on (default: a temporary directory, removed at the end)")
	fs.Var(&o.loads, "load", "`STREAM=FILE`: load the file (plain, .gz, .zst, or - for standard input), one record a line; may be repeated")
	fs.StringVar(&o.format, "o", "table", "`FORMAT` of results: "+strings.Join(formats(), ", "))
	fs.StringVar(&o.brokers, "brokers", "", "`HOST:PORT,...` of a Kafka cluster (default: a broker in this process)")
	fs.IntVar(&o.workers, "workers", 0, "`N` workers compute (default: one for each core)")
	fs.Int64Var(&o.memory, "query-memory", 4096, "`MiB` of state that a query may hold; one that outgrows it fails alone")
	files, err := parseFlags(env, fs, args)
	if err != nil {
		return err
	}
	o.files = files
	if len(o.files) == 0 {
		return usagef("no FILE.sql given")
	}
	if newPrinter(o.format, env) == nil {
		return usagef("unknown format %q: it is one of %s", o.format, strings.Join(formats(), ", "))
	}
	return run(ctx, env, &o)
}

// script is a file of statements.
type script struct {
	name, text string
	statements []parser.Parsed
}

// run executes the files. Statements are parsed before anything is done, so that a slip in the last one costs nothing.
func run(ctx context.Context, env *environ, o *runOptions) error {
	var scripts []script
	if err := checkFiles(o); err != nil {
		return err
	}
	for _, name := range o.files {
		text, err := readAll(env, name)
		if err != nil {
			return usagef("%s", err)
		}
		parsed, err := parser.Parse(text)
		if err != nil {
			return statementError(env, name, text, 1, text, err)
		}
		scripts = append(scripts, script{name, text, parsed})
	}
	r, err := openRunner(ctx, env, o)
	if err != nil {
		return err
	}
	if err = r.checkLoads(scripts); err == nil {
		err = r.scripts(ctx, scripts)
	}
	if cerr := r.close(); err == nil {
		err = cerr
	}
	return err
}

// checkFiles refuses files that cannot be loaded, before anything is done.
func checkFiles(o *runOptions) error {
	stdin := 0
	for _, name := range o.files {
		if name == "-" {
			stdin++
		}
	}
	for _, l := range o.loads {
		if l.file == "-" {
			stdin++
			continue
		}
		switch info, err := os.Stat(l.file); {
		case err != nil:
			return usagef("--load %s: %s", l.stream, err)
		case info.IsDir():
			return usagef("--load %s: %s is a directory: name a file, or several with one --load each", l.stream, l.file)
		}
	}
	if stdin > 1 {
		return usagef("standard input (-) can be read only once")
	}
	return nil
}

// checkLoads refuses loads into streams that neither exist nor are created by the scripts.
func (r *runner) checkLoads(scripts []script) error {
	var created []string
	for _, s := range scripts {
		for _, p := range s.statements {
			if c, ok := p.Stmt.(*parser.CreateStream); ok {
				created = append(created, c.Name.Name)
			}
		}
	}
	for _, l := range r.opts.loads {
		if slices.Contains(created, l.stream) || r.engine.Exists(l.stream) {
			continue
		}
		err := types.Errorf(types.CodeUndefinedTable, "there is no stream %q to load into", l.stream)
		if near := types.Suggest(l.stream, created); near != "" {
			return err.WithHint("Did you mean %q?", near)
		}
		return err.WithHint("A statement CREATE STREAM %s (...) makes it.", parser.Quote(l.stream))
	}
	return nil
}

// runner is an engine on its embedded (or named) broker and store.
type runner struct {
	env    *environ
	opts   *runOptions
	lock   *catalog.DirLock
	temp   string
	broker connectors.Broker
	store  connectors.Store
	engine *engine.Engine
	out    printer
	show   *progress
}

// openRunner opens the data directory.
func openRunner(ctx context.Context, env *environ, o *runOptions) (_ *runner, err error) {
	r := &runner{env: env, opts: o, out: newPrinter(o.format, env), show: newProgress(env)}
	defer func() {
		if err != nil {
			_ = r.close()
		}
	}()
	dir := o.data
	if dir == "" {
		if r.temp, err = os.MkdirTemp("", "rhumb-"); err != nil {
			return nil, err
		}
		dir = r.temp
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, types.Errorf(types.CodeIO, "could not create the data directory: %s", err)
	}
	if r.lock, err = catalog.Lock(dir); err != nil {
		return nil, err
	}
	if o.brokers != "" {
		r.broker, err = kafka.Open(ctx, kafka.Config{Addrs: strings.Split(o.brokers, ",")})
	} else {
		r.broker, err = embedded(filepath.Join(dir, "broker"))
	}
	if err != nil {
		return nil, err
	}
	if r.store, err = sqlite.Open(filepath.Join(dir, "store.db")); err != nil {
		return nil, err
	}
	r.engine, err = engine.Open(ctx, engine.Config{Dir: dir, Broker: r.broker, Store: r.store, Workers: o.workers, Options: options,
		Flow: executor.Config{QueryMemory: o.memory << 20}})
	return r, err
}

// embedded avoids a non-nil interface around a nil broker.
func embedded(dir string) (connectors.Broker, error) {
	b, err := kafka.Embedded(dir, kafka.EmbeddedOptions{})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// options is the specification of a WITH clause.
func options(kind catalog.Kind) connectors.Spec {
	switch kind {
	case catalog.Source:
		return kafka.SourceOptions
	case catalog.MatView:
		return kafka.ViewOptions
	}
	return kafka.StreamOptions
}

// close stops the queries with a checkpoint and closes everything.
func (r *runner) close() error {
	r.show.end()
	var first error
	note := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	if r.engine != nil {
		note(r.engine.Close())
	}
	if r.store != nil {
		note(r.store.Close())
	}
	if r.broker != nil {
		note(r.broker.Close())
	}
	if r.lock != nil {
		note(r.lock.Unlock())
	}
	if r.temp != "" {
		note(os.RemoveAll(r.temp))
	}
	return first
}

// scripts executes the statements in order. A SELECT is answered when the files are loaded and all queries have come to the end of their inputs.
func (r *runner) scripts(ctx context.Context, scripts []script) error {
	for _, s := range scripts {
		for _, p := range s.statements {
			err := r.statement(ctx, p)
			if err != nil && ctx.Err() != nil {
				return r.interrupted()
			}
			if err != nil {
				return statementError(r.env, s.name, s.text, p.Start, p.Text, err)
			}
		}
	}
	err := r.settle(ctx, true)
	if err == nil {
		err = r.engine.WaitStored(ctx, r.engine.Stored()...)
	}
	if err != nil && ctx.Err() != nil {
		return r.interrupted()
	}
	return err
}

// interrupted is the error of a run that a signal has ended.
func (r *runner) interrupted() error {
	err := types.Errorf(types.CodeCanceled, "interrupted")
	if r.temp == "" {
		err.WithHint("Run again on the same directory to go on: --data %s", r.opts.data)
	}
	return err
}

func (r *runner) statement(ctx context.Context, p parser.Parsed) error {
	if _, ok := p.Stmt.(*parser.SelectStmt); !ok {
		res, err := r.engine.Exec(ctx, p)
		if err != nil {
			return err
		}
		for _, n := range res.Notices {
			r.show.line("NOTICE:  " + printable(n))
		}
		if res.Schema != nil {
			return r.print(res.Schema, func(rows func(*types.Batch) error) error { return rows(res.Rows) })
		}
		return nil
	}
	if err := r.settle(ctx, false); err != nil {
		return elsewhere{err}
	}
	q, err := r.engine.Prepare(ctx, p)
	if err != nil {
		return err
	}
	return r.print(q.Schema, func(rows func(*types.Batch) error) error { return q.Run(ctx, rows) })
}

func (r *runner) print(schema types.Schema, rows func(func(*types.Batch) error) error) error {
	r.show.end()
	if err := r.out.begin(schema); err != nil {
		return err
	}
	if err := rows(r.out.rows); err != nil {
		return err
	}
	return r.out.finish()
}

// settle loads what can be loaded, and lets all queries run to the end of their inputs.
func (r *runner) settle(ctx context.Context, last bool) error {
	if err := r.engine.StartPending(ctx); err != nil {
		return err
	}
	for _, l := range r.opts.loads {
		if l.done || !last && !r.engine.Exists(l.stream) {
			continue
		}
		l.done = true
		if err := r.load(ctx, l); err != nil {
			return fmt.Errorf("loading %s into %s: %w", l.file, l.stream, err)
		}
	}
	stop := r.show.watch(r.engine)
	defer stop()
	return r.engine.Finish(ctx)
}

func (r *runner) load(ctx context.Context, l *load) error {
	show := func(appended, skipped int64) {
		r.show.update("loading %s: %d records", printable(l.stream), appended+skipped)
	}
	if l.file == "-" {
		return r.engine.Load(ctx, l.stream, readStdin(ctx), show)
	}
	f, err := file.Open(l.file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return r.engine.Load(ctx, l.stream, f, show)
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // report prints what is wrong
	return fs
}

// parseFlags reads flags, which may also come after the arguments, and returns the arguments.
func parseFlags(env *environ, fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		switch err := fs.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			printFlags(env.stderr, fs)
			return nil, errHelp
		case err != nil:
			return nil, usagef("%s", err)
		}
		// What follows "--" is arguments only.
		if n := len(args) - fs.NArg(); n > 0 && args[n-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// printFlags is the help of a command.
func printFlags(w io.Writer, fs *flag.FlagSet) {
	for _, c := range commands() {
		if c.name == fs.Name() {
			fmt.Fprintf(w, "Usage: %s\n\n%s.\n\n", c.usage(), strings.ToUpper(c.doc[:1])+c.doc[1:])
		}
	}
	fs.VisitAll(func(f *flag.Flag) {
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		value, doc := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-24s %s", dashes+f.Name+" "+value, doc)
		if f.DefValue != "" && f.DefValue != "0" {
			fmt.Fprintf(w, " (default: %s)", f.DefValue)
		}
		fmt.Fprintln(w)
	})
}
