package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"rhumb/connectors/generate"
	"rhumb/engine"
)

// generateCommand is rhumb generate.
func generateCommand(ctx context.Context, env *environ, args []string) error {
	fs := newFlags("generate")
	events := fs.Int64("events", 1000, "print `N` events")
	seed := fs.Uint64("seed", 1, "`S`: the same seed gives the same events")
	rest, err := parseFlags(env, fs, args)
	if errors.Is(err, errHelp) {
		for _, kind := range generate.Kinds() {
			fmt.Fprintf(env.stderr, "  %-6s %s\n", kind, generate.Doc(kind))
		}
	}
	if err != nil {
		return err
	}
	if *events < 0 {
		return usagef("--events must not be negative")
	}
	if len(rest) != 1 {
		return usagef("want one KIND of events: %s", strings.Join(generate.Kinds(), ", "))
	}
	g, err := generate.New(rest[0], *seed)
	if err != nil {
		return usagef("%s", err)
	}
	w := bufio.NewWriterSize(env.stdout, 1<<16)
	var line []byte
	for i := int64(0); i < *events && ctx.Err() == nil; i++ {
		line = append(g.Next(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// versionCommand is rhumb version.
func versionCommand(_ context.Context, env *environ, args []string) error {
	if rest, err := parseFlags(env, newFlags("version"), args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("no arguments are wanted")
	}
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	_, err := fmt.Fprintf(env.stdout, "rhumb %s (%s, revision %s)\n", engine.Version, runtime.Version(), revision)
	return err
}
