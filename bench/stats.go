package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

// samples are measurements of one thing, one a round; NaN for a round in which it failed.
type samples []float64

// sorted returns the measurements that did not fail, in order of size.
func (s samples) sorted() samples {
	did := slices.DeleteFunc(slices.Clone(s), math.IsNaN)
	slices.Sort(did)
	return did
}

func (s samples) median() float64 { return s.sorted().quantile(0.5) }

// quantile returns the value below which that share of s, which is sorted, lies.
func (s samples) quantile(share float64) float64 {
	if len(s) == 0 {
		return 0
	}
	at := share * float64(len(s)-1)
	below, part := math.Modf(at)
	i := int(below)
	return s[i] + part*(s[min(i+1, len(s)-1)]-s[i])
}

// spread is half of the range in which the middle half of the measurements lies, as a share of
// the median: how noisy the machine was.
func (s samples) spread() float64 {
	sorted := s.sorted()
	middle := sorted.quantile(0.5)
	if middle == 0 {
		return 0
	}
	return (sorted.quantile(0.75) - sorted.quantile(0.25)) / 2 / middle
}

// over divides by what was measured in the same round. What else a machine does changes from
// one second to the next: a median of ratios of neighbours stays where a ratio of medians moves.
func (s samples) over(base samples) samples {
	ratios := make(samples, min(len(s), len(base)))
	for i := range ratios {
		ratios[i] = s[i] / base[i]
	}
	return ratios
}

// number writes n with commas, to three digits or so.
func number(n float64) string {
	switch {
	case n < 10:
		return fmt.Sprintf("%.2f", n)
	case n < 1000:
		return fmt.Sprintf("%.0f", n)
	}
	digits := fmt.Sprintf("%.0f", n)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// noise writes the spread.
func (s samples) noise() string { return fmt.Sprintf("±%.0f%%", 100*s.spread()) }

// percent writes how much of base s was; a dash where there is nothing to compare.
func percent(s, base samples) string {
	share := s.over(base).median()
	if share == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*share)
}

// times writes how many times base s was.
func times(s, base samples) string {
	ratio := s.over(base).median()
	if ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fx", ratio)
}

// table prints rows as Markdown, columns aligned.
type table struct{ rows [][]string }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range t.rows {
		for i, cell := range row {
			if i == 0 {
				fmt.Printf("| %-*s ", widths[i], cell)
			} else {
				fmt.Printf("| %*s ", widths[i], cell)
			}
		}
		fmt.Println("|")
		if n == 0 {
			for i, w := range widths {
				if i == 0 {
					fmt.Printf("| %s ", strings.Repeat("-", w))
				} else {
					fmt.Printf("| %s:", strings.Repeat("-", w))
				}
			}
			fmt.Println("|")
		}
	}
}

// allocations counts the objects that have been allocated so far.
func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// processorTime returns the time that this process has used on all processors.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
