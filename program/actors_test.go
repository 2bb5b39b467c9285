package program_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// act is the program called name.
func act(name string, args []string) {
	switch name {
	case "record": // journals all events until its stdin ends
		record(bufio.NewReaderSize(os.Stdin, 1<<20), args[0], -1)
	case "careful": // the same without reading ahead, as a shell does; dies after so many events
		n, _ := strconv.Atoi(args[1])
		record(bufio.NewReaderSize(oneByte{os.Stdin}, 16), args[0], n)
		os.Exit(3)
	case "roomy": // careful, with more room in its stdin
		roomy(os.Stdin)
		act("careful", args)
	case "discard":
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "never-reads":
		hang()
	case "ignores":
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		hang()
	case "leaves-child": // ends, and leaves a process behind that holds its pipes
		child := exec.Command("sleep", "1000")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		_ = child.Start()
		fmt.Println(child.Process.Pid)
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "garbage":
		garbage()
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "environment":
		for _, entry := range os.Environ() {
			fmt.Println(entry)
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "dies-at":
		diesAt(args[0])
	case "ends":
	case "dies-at-once":
		os.Exit(7)
	case "closes-stdin":
		_ = os.Stdin.Close()
		hang()
	case "says": // writes its arguments as lines and ends
		for _, line := range args {
			fmt.Println(line)
		}
	case "say": // writes its arguments as lines, then prints what comes back
		for _, line := range args {
			fmt.Println(line)
		}
		scanner := bufio.NewScanner(os.Stdin)
		for scanner.Scan() {
			fmt.Fprintln(os.Stderr, scanner.Text())
		}
	}
}

// diesAt is killed at some point of its work.
func diesAt(point string) {
	die := func() {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		hang()
	}
	line := make([]byte, 1<<16)
	switch point {
	case "start":
	case "half a command":
		os.Stdout.WriteString(`{"id": 1, "api": "sta`)
	case "command without end":
		os.Stdout.WriteString(`{"id": 1, "api": "status"}`)
	case "command pending":
		os.Stdout.WriteString(`{"id": 1, "api": "status"}` + "\n" + `{"id": 2, "bgapi": "status"}` + "\n")
	case "first event":
		_, _ = os.Stdin.Read(line)
	case "half an event":
		_, _ = os.Stdin.Read(line[:7])
	case "stdin closed":
		_ = os.Stdin.Close()
	case "stdout closed":
		_ = os.Stdout.Close()
		_, _ = os.Stdin.Read(line)
	case "reply":
		os.Stdout.WriteString(`{"id": 1, "subscribe": ["TALK"]}` + "\n")
		_, _ = os.Stdin.Read(line)
	}
	die()
}

var deaths = []string{"start", "half a command", "command without end", "command pending", "first event", "half an event",
	"stdin closed", "stdout closed", "reply"}

func hang() {
	for {
		<-time.After(time.Hour)
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// record appends a line to the journal for each event.
func record(in *bufio.Reader, file string, limit int) {
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buffered := bufio.NewWriter(out)
	defer out.Close()
	defer buffered.Flush()
	for limit != 0 {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if len(line) > 0 {
				fmt.Fprintf(os.Stderr, "incomplete line of %d bytes\n", len(line))
			}
			return
		}
		var ev struct {
			Sequence string `json:"Event-Sequence"`
			Call     string `json:"Unique-ID"`
		}
		if err := json.Unmarshal(line, &ev); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Fprintln(buffered, os.Getpid(), ev.Call, ev.Sequence)
		limit--
	}
}

// garbage writes what is no command, and one command in the middle of it.
func garbage() {
	fmt.Println("plain text")
	fmt.Println(`{"not": "a command"}`)
	fmt.Println(`{"api": "status"`)
	fmt.Println(`["api", "status"]`)
	os.Stdout.WriteString("{\"api\": \"invalid \xff\xfe\"}\n")
	os.Stdout.Write(append(bytes.Repeat([]byte("x"), 10<<20), '\n'))
	fmt.Println(`{"api": "` + strings.Repeat("y", 10<<20) + `"}`)
	fmt.Println(`{"id": 1, "api": "status", "bgapi": "status"}`)
	fmt.Println(`{"id": 2, "api": 17}`)
	fmt.Println(`{"id": 3, "api": "status", "extra": 1}`)
	fmt.Println("after all that")
	os.Stderr.WriteString(strings.Repeat("e", 100_000) + "\nlast words")
}
