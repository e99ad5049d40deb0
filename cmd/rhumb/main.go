// Command rhumb is a continuous query engine for security event streams.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // AT TIME ZONE must not depend on what the host has

	"rhumb/executor"
	"rhumb/types"
)

// command is a subcommand.
type command struct {
	name, args, doc string
	run             func(ctx context.Context, env *environ, args []string) error
}

// commands are the subcommands, in the order of the help.
func commands() []command {
	return []command{
		{"run", "[flags] FILE.sql...", "execute statements, load files, and print the results of the SELECTs", runCommand},
		{"generate", "[flags] KIND", "print seeded synthetic events, one a line", generateCommand},
		{"version", "", "print the version", versionCommand},
	}
}

func (c command) usage() string { return strings.TrimSpace("rhumb " + c.name + " " + c.args) }

// environ is what a command may touch of the process.
type environ struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool // stderr is one: progress may be shown
	screen         bool // stdout is one: control characters must not reach it
}

// usageError is a mistake in the command line: exit status 2.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func main() {
	executor.TuneCollector()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away is an error of the write, so that there is a checkpoint
	env := &environ{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, terminal: isTerminal(os.Stderr), screen: isTerminal(os.Stdout)}
	code := dispatch(ctx, env, os.Args[1:])
	stop()
	os.Exit(code)
}

// dispatch runs a command line and returns the exit status: 0, 1 (a statement or query failed), 2 (usage).
func dispatch(ctx context.Context, env *environ, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		help(env.stderr)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return report(env, c, c.run(ctx, env, args[1:]))
		}
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	fmt.Fprintf(env.stderr, "rhumb: unknown command %+q\n", args[0])
	if near := types.Suggest(args[0], names); near != "" {
		fmt.Fprintf(env.stderr, "Did you mean %q?\n", near)
	}
	help(env.stderr)
	return 2
}

// report prints a command's error and returns the exit status.
func report(env *environ, c command, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(env.stderr, "rhumb %s: %s\nUsage: %s\nrhumb %s --help says more.\n", c.name, printable(usage.msg), c.usage(), c.name)
		return 2
	case errors.Is(err, errReported), errors.Is(err, syscall.EPIPE): // whoever read the results has seen enough
		return 1
	}
	fmt.Fprintf(env.stderr, "rhumb %s: %s\n", c.name, describe("", err))
	return 1
}

func help(w io.Writer) {
	fmt.Fprintln(w, "rhumb: continuous SQL over security event streams\n\nUsage:")
	for _, c := range commands() {
		fmt.Fprintf(w, "  rhumb %-9s %-20s %s\n", c.name, c.args, c.doc)
	}
	fmt.Fprintln(w, "\nrhumb COMMAND --help lists the flags of a command.")
}
