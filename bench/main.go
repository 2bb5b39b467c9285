// Command bench compares: the speed of this library with the bare socket and with
// eslgo, on the machine it runs on, in one run. What counts are the ratios.
//
//	go run .                 everything, some minutes
//	go run . -short          a look, some two minutes: what CI prints
//	go run . -only events    one group
//
// All traffic is on the loopback interface. FreeSWITCH's end is this program once
// more, in a process of its own, and sends recorded events as fast as they are
// taken. What is compared runs interleaved, several times; medians are printed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/internal/headroom"
)

// settings is what the command line says.
type settings struct {
	testdata string
	rounds   int           // measurements of each
	each     time.Duration // about how long a measurement takes
	writes   writes
	short    bool
	match    string // of the subjects of the group events
}

// writes are the sizes, in bytes, in which events are sent, where not each by itself.
type writes []int

func (w writes) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint([]int(w)), "[]"), " ", ",")
}

// Set takes sizes separated by commas.
func (w *writes) Set(list string) error {
	var sizes writes
	for size := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n <= 0 {
			return fmt.Errorf("%q: allowed are numbers from 1, separated by commas", size)
		}
		sizes = append(sizes, n)
	}
	*w = sizes
	return nil
}

// most is the largest size.
func (w writes) most() int { return slices.Max(w) }

type group struct {
	name, title string
	run         func(context.Context, settings) error
}

var groups = []group{
	{"parse", "parsing: no socket, one goroutine", compareParsing},
	{"events", "events: socket to handler", compareEvents},
	{"commands", "commands: round trips", compareCommands},
	{"dispatch", "dispatch: bytes to handler, no socket", compareDispatch},
	{"growth", "connections", compareGrowth},
	{"memory", "memory", measureMemory},
	{"sessions", "outbound sessions: connect, answer, hang up", compareSessions},
	{"program", "the program", measureProgram},
}

func main() {
	s := settings{writes: writes{8 << 10, 16 << 10, 64 << 10}}
	role := flag.String("role", "", "what a child process is; used by the program itself")
	flag.StringVar(&s.testdata, "testdata", "../testdata/transcripts", "directory of the recordings")
	flag.IntVar(&s.rounds, "rounds", 20, "measurements of each; the median is printed")
	flag.DurationVar(&s.each, "each", 250*time.Millisecond, "about how long a measurement takes")
	flag.Var(&s.writes, "write", "how many `bytes` of events are sent at a time, where not each by itself; several numbers separated by commas")
	flag.BoolVar(&s.short, "short", false, "a quick look: fewer and shorter measurements")
	flag.StringVar(&s.match, "match", "", "of the group events, only rows with this in their name")
	only := flag.String("only", "", "groups to run, separated by commas; all when empty")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	if s.short {
		s.rounds, s.each = 5, 90*time.Millisecond
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *role, *only, *profile, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, role, only, profile string, s settings) error {
	switch role { // GOGC=100 shows Go's own default everywhere
	case eslgoServer, eslgoClient:
	case roomyESLGo:
		headroom.Take(headroom.Flood) // as esl does by itself
	default:
		headroom.Take(headroom.Calm) // as genesis does
	}
	switch role {
	case "":
	case eslgoClient, roomyESLGo:
		return clientMain()
	case "freeswitch":
		return freeswitchMain(s.testdata)
	default:
		return serverMain(role, s.testdata)
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Printf("%s %s/%s, %d processors, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), time.Now().Format("2006-01-02 15:04"))
	for _, g := range groups {
		if only != "" && !strings.Contains(","+only+",", ","+g.name+",") {
			continue
		}
		fmt.Printf("\n## %s\n\n", g.title)
		if err := g.run(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	return nil
}
