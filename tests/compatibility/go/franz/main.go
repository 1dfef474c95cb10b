// What the compatibility tests do with github.com/twmb/franz-go: franz BROKERS COMMAND ARGUMENT...
package main

import (
  "context"
  "errors"
  "os/signal"
  "slices"
  "strings"
  "syscall"
  "time"

  "github.com/twmb/franz-go/pkg/kadm"
  "github.com/twmb/franz-go/pkg/kerr"
  "github.com/twmb/franz-go/pkg/kgo"

  "compatibility/show"
)

var codecs = map[string]kgo.CompressionCodec{
  "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
  "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func newClient(brokers []string, options ...kgo.Opt) *kgo.Client {
  client, err := kgo.NewClient(append(options, kgo.SeedBrokers(brokers...))...)
  show.Check(err)
  return client
}

// produce TOPIC FIRST COUNT CODEC ACKS, where acks "idempotent" are all with idempotence.
func produce(brokers, words []string) {
  topic, first, count := words[0], show.Number(words[1]), show.Number(words[2])
  options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[words[3]])}
  if words[4] != "idempotent" {
    acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "-1": kgo.AllISRAcks()}
    options = append(options, kgo.RequiredAcks(acks[words[4]]), kgo.DisableIdempotentWrite())
  }
  client := newClient(brokers, options...)
  sent := 0
  var failed error
  for i := first; i < first+count; i++ {
    client.Produce(context.Background(), &kgo.Record{Topic: topic, Key: show.Key(i),
      Value: show.Value(i), Timestamp: show.Time(i),
      Headers: []kgo.RecordHeader{{Key: "h", Value: show.Value(i)}},
    }, func(_ *kgo.Record, err error) {
      if err != nil {
        failed = err
        return
      }
      sent++
      if sent == 1 {
        show.Line(map[string]bool{"begun": true})
      }
    })
  }
  show.Check(client.Flush(context.Background()))
  show.Check(failed)
  client.Close()
  show.Line(map[string]int{"sent": sent})
}

func read(r *kgo.Record) show.Record {
  headers := map[string]string{}
  for _, header := range r.Headers {
    headers[header.Key] = string(header.Value)
  }
  return show.Record{Partition: r.Partition, Offset: r.Offset, Key: string(r.Key),
    Value: string(r.Value), Headers: headers, TimeMs: r.Timestamp.UnixMilli()}
}

// consume TOPIC PARTITION FROM COUNT: from an offset, or from a time after an @.
func consume(brokers, words []string) {
  var from kgo.Offset
  if at, timed := strings.CutPrefix(words[2], "@"); timed {
    from = kgo.NewOffset().AfterMilli(show.Number(at))
  } else {
    from = kgo.NewOffset().At(show.Number(words[2]))
  }
  client := newClient(brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
    words[0]: {int32(show.Number(words[1])): from}}))
  left := show.Number(words[3])
  for left > 0 {
    fetches := client.PollFetches(context.Background())
    show.Check(fetches.Err())
    for _, record := range fetches.Records() {
      if left > 0 {
        show.Line(read(record))
      }
      left--
    }
  }
  client.Close()
}

// group GROUP TOPIC: a member until it is told to end.
func group(brokers, words []string) {
  topic := words[1]
  var shares []int32
  change := func(add bool) func(context.Context, *kgo.Client, map[string][]int32) {
    return func(_ context.Context, _ *kgo.Client, rows map[string][]int32) {
      shares = slices.DeleteFunc(shares, func(one int32) bool {
        return slices.Contains(rows[topic], one)
      })
      if add {
        shares = append(shares, rows[topic]...)
      }
      slices.Sort(shares)
      show.Shares(shares)
    }
  }
  client := newClient(brokers, kgo.ConsumerGroup(words[0]), kgo.ConsumeTopics(topic),
    kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second),
    kgo.HeartbeatInterval(time.Second), kgo.OnPartitionsAssigned(change(true)),
    kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
  ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
  defer stop()
  for ctx.Err() == nil {
    fetches := client.PollFetches(ctx)
    if ctx.Err() != nil {
      break
    }
    for _, failure := range fetches.Errors() {
      // That it lost its place in the group is told for information: the client joins again.
      var lost *kgo.ErrGroupSession
      if !errors.As(failure.Err, &lost) {
        show.Check(failure.Err)
      }
    }
    for _, record := range fetches.Records() {
      show.Line(read(record))
    }
    if err := client.CommitUncommittedOffsets(ctx); ctx.Err() == nil {
      show.Check(err)
    }
  }
  client.Close()
}

// admin TOPIC GROUP OTHER: what an operator does; the group has read the topic OTHER.
func admin(brokers, words []string) {
  topic, group, other := words[0], words[1], words[2]
  ctx, stop := context.WithTimeout(context.Background(), show.Patience)
  defer stop()
  admin := kadm.NewClient(newClient(brokers))
  replicas := int16(min(3, len(brokers)))
  created, err := admin.CreateTopic(ctx, 2, replicas,
    map[string]*string{"retention.ms": kadm.StringPtr("3600000")}, topic)
  show.Check(err)
  show.Check(created.Err)
  _, err = admin.CreateTopic(ctx, 2, replicas, nil, topic)
  show.Line(map[string]any{"again": errors.Is(err, kerr.TopicAlreadyExists)})
  more, err := admin.UpdatePartitions(ctx, 5, topic)
  show.Check(err)
  show.Check(more.Error())
  altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig,
    Name: "max.message.bytes", Value: kadm.StringPtr("2000000")}}, topic)
  show.Check(err)
  show.Check(altered[0].Err)
  var topics kadm.TopicDetails
  show.Until(func() bool {
    topics, err = admin.ListTopics(ctx, topic)
    show.Check(err)
    return len(topics[topic].Partitions) == 5
  })
  show.Line(map[string]any{"partitions": len(topics[topic].Partitions),
    "replicas": len(topics[topic].Partitions[0].Replicas)})
  values := map[string]string{}
  show.Until(func() bool {
    configs, err := admin.DescribeTopicConfigs(ctx, topic)
    show.Check(err)
    for _, entry := range configs[0].Configs {
      if entry.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
        values[entry.Key] = entry.MaybeValue()
      }
    }
    return len(values) == 2
  })
  show.Line(map[string]any{"configs": values})
  offsets := map[string]int64{}
  for name, list := range map[string]func(context.Context, ...string) (kadm.ListedOffsets, error){
    "earliest": admin.ListStartOffsets, "latest": admin.ListEndOffsets,
    "newest": admin.ListMaxTimestampOffsets} {
    listed, err := list(ctx, other)
    show.Check(err)
    show.Check(listed.Error())
    row, _ := listed.Lookup(other, 0)
    offsets[name] = row.Offset
  }
  show.Line(map[string]any{"offsets": offsets})
  groups, err := admin.ListGroups(ctx)
  show.Check(err)
  rows, err := admin.DescribeGroups(ctx, group)
  show.Check(err)
  committed, err := admin.FetchOffsets(ctx, group)
  show.Check(err)
  row, _ := committed.Lookup(other, 0)
  show.Line(map[string]any{"listed": groups[group].ProtocolType, "state": rows[group].State,
    "committed": row.At})
  _, err = admin.DeleteGroup(ctx, group)
  show.Check(err)
  groups, err = admin.ListGroups(ctx)
  show.Check(err)
  trim := kadm.Offsets{}
  trim.AddOffset(other, 0, 10, -1)
  trimmed, err := admin.DeleteRecords(ctx, trim)
  show.Check(err)
  show.Check(trimmed.Error())
  starts, err := admin.ListStartOffsets(ctx, other)
  show.Check(err)
  first, _ := starts.Lookup(other, 0)
  _, err = admin.DeleteTopic(ctx, topic)
  show.Check(err)
  show.Until(func() bool {
    topics, err = admin.ListTopics(ctx)
    show.Check(err)
    return !topics.Has(topic)
  })
  show.Line(map[string]any{"group left": slices.Contains(
    groups.Groups(), group), "topic left": topics.Has(topic), "first": first.Offset})
  cluster, err := admin.BrokerMetadata(ctx)
  show.Check(err)
  show.Line(map[string]any{"brokers": cluster.Brokers.NodeIDs(),
    "controller": slices.Contains(cluster.Brokers.NodeIDs(), cluster.Controller)})
}

// newest TOPIC: the record with the largest timestamp of each partition.
func newest(brokers, words []string) {
  ctx, stop := context.WithTimeout(context.Background(), show.Patience)
  defer stop()
  client := newClient(brokers)
  listed, err := kadm.NewClient(client).ListMaxTimestampOffsets(ctx, words[0])
  show.Check(err)
  listed.Each(func(row kadm.ListedOffset) {
    show.Newest(row.Partition, row.Offset, row.Timestamp, row.Err)
  })
  client.Close()
}

func main() {
  brokers, words := show.Words()
  commands := map[string]func([]string, []string){
    "produce": produce, "consume": consume, "group": group, "admin": admin,
    "newest": newest}
  commands[words[0]](strings.Split(brokers, ","), words[1:])
}
