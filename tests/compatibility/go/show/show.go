// Package show writes what clients see, a line of JSON each, and ends the program with what fails.
package show

import (
  "encoding/json"
  "fmt"
  "os"
  "strconv"
  "time"
)

// Record is what a client read.
type Record struct {
  Partition int32             `json:"partition"`
  Offset    int64             `json:"offset"`
  Key       string            `json:"key"`
  Value     string            `json:"value"`
  Headers   map[string]string `json:"headers"`
  TimeMs    int64             `json:"time"`
}

// Line writes a line at once: who reads it may kill the program after it.
func Line(value any) {
  Check(json.NewEncoder(os.Stdout).Encode(value))
}

// Shares writes which partitions a member of a group has.
func Shares(partitions []int32) {
  Line(map[string]any{"assigned": append([]int32{}, partitions...)})
}

// Newest writes which record of a partition has the largest timestamp, or why nobody says so.
func Newest(partition int32, offset, timeMs int64, err error) {
  if err != nil {
    Line(map[string]any{"partition": partition, "refused": err.Error()})
    return
  }
  Line(map[string]any{"partition": partition, "offset": offset, "time": timeMs})
}

// Check ends the program when there is an error.
func Check(err error) {
  if err != nil {
    fmt.Fprintln(os.Stderr, err)
    os.Exit(1)
  }
}

// Number is an argument of the command line.
func Number(text string) int64 {
  number, err := strconv.ParseInt(text, 10, 64)
  Check(err)
  return number
}

// The i-th record that the programs write: a second between one and the next.
func Key(i int64) []byte        { return []byte("k" + strconv.FormatInt(i, 10)) }
func Value(i int64) []byte      { return []byte(strconv.FormatInt(i, 10)) }
func Time(i int64) time.Time    { return time.UnixMilli(1_700_000_000_000 + i) }
func Words() (string, []string) { return os.Args[1], os.Args[2:] }

// Patience is how long anything may take.
const Patience = 30 * time.Second

// Until tries again until it is so: what one broker was told, the others hear a moment later.
func Until(condition func() bool) {
  for end := time.Now().Add(Patience); !condition(); time.Sleep(20 * time.Millisecond) {
    if time.Now().After(end) {
      return
    }
  }
}
