// What the compatibility tests do with github.com/segmentio/kafka-go: kafkago BROKERS COMMAND
// ARGUMENT...
package main

import (
  "context"
  "errors"
  "fmt"
  "os"
  "os/signal"
  "slices"
  "strings"
  "syscall"
  "time"

  "github.com/segmentio/kafka-go"

  "compatibility/show"
)

var codecs = map[string]kafka.Compression{
  "none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

// produce TOPIC FIRST COUNT CODEC ACKS.
func produce(brokers, words []string) {
  first, count := show.Number(words[1]), show.Number(words[2])
  writer := &kafka.Writer{Addr: kafka.TCP(brokers...), Topic: words[0], BatchSize: 500,
    BatchTimeout: 10 * time.Millisecond, MaxAttempts: 100, Balancer: &kafka.Hash{},
    RequiredAcks: kafka.RequiredAcks(show.Number(words[4])), Compression: codecs[words[3]]}
  for at := first; at < first+count; at += 500 {
    messages := []kafka.Message{}
    for i := at; i < min(at+500, first+count); i++ {
      messages = append(messages, kafka.Message{Key: show.Key(i), Value: show.Value(i),
        Time: show.Time(i), Headers: []kafka.Header{{Key: "h", Value: show.Value(i)}}})
    }
    show.Check(writer.WriteMessages(context.Background(), messages...))
    if at == first {
      show.Line(map[string]bool{"begun": true})
    }
  }
  show.Check(writer.Close())
  show.Line(map[string]int64{"sent": count})
}

func read(m kafka.Message) show.Record {
  headers := map[string]string{}
  for _, header := range m.Headers {
    headers[header.Key] = string(header.Value)
  }
  return show.Record{Partition: int32(m.Partition), Offset: m.Offset, Key: string(m.Key),
    Value: string(m.Value), Headers: headers, TimeMs: m.Time.UnixMilli()}
}

// consume TOPIC PARTITION FROM COUNT: from an offset, or from a time after an @.
func consume(brokers, words []string) {
  reader := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: words[0],
    Partition: int(show.Number(words[1])), MaxWait: 500 * time.Millisecond})
  if at, timed := strings.CutPrefix(words[2], "@"); timed {
    show.Check(reader.SetOffsetAt(context.Background(), time.UnixMilli(show.Number(at))))
  } else {
    show.Check(reader.SetOffset(show.Number(words[2])))
  }
  for left := show.Number(words[3]); left > 0; left-- {
    message, err := reader.ReadMessage(context.Background())
    show.Check(err)
    show.Line(read(message))
  }
  show.Check(reader.Close())
}

// group GROUP TOPIC: a member until it is told to end. Its lines "assigned" are made of records.
func group(brokers, words []string) {
  group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: words[0], Brokers: brokers,
    Topics: words[1:], SessionTimeout: 6 * time.Second, HeartbeatInterval: time.Second,
    StartOffset: kafka.FirstOffset})
  show.Check(err)
  ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
  defer stop()
  for {
    generation, err := group.Next(ctx)
    if ctx.Err() != nil {
      break
    }
    if err != nil {
      fmt.Fprintln(os.Stderr, err) // it tries again by itself
      continue
    }
    shares := []int32{}
    for _, row := range generation.Assignments[words[1]] {
      shares = append(shares, int32(row.ID))
      generation.Start(func(life context.Context) {
        consumePart(life, generation, brokers, words[1], row)
      })
    }
    show.Shares(shares)
  }
  show.Check(group.Close())
}

func consumePart(life context.Context, generation *kafka.Generation, brokers []string,
  topic string, row kafka.PartitionAssignment) {
  reader := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: topic,
    Partition: row.ID, MaxWait: 500 * time.Millisecond})
  defer reader.Close()
  show.Check(reader.SetOffset(row.Offset))
  for {
    message, err := reader.ReadMessage(life)
    if errors.Is(err, kafka.ErrGenerationEnded) || life.Err() != nil {
      return
    }
    show.Check(err)
    show.Line(read(message))
    show.Until(func() bool {
      err := generation.CommitOffsets(map[string]map[int]int64{
        topic: {row.ID: message.Offset + 1}})
      return err == nil || life.Err() != nil
    })
  }
}

// admin TOPIC GROUP OTHER: what an operator does; the group has read the topic OTHER.
func admin(brokers, words []string) {
  topic, group, other := words[0], words[1], words[2]
  ctx, stop := context.WithTimeout(context.Background(), show.Patience)
  defer stop()
  client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: show.Patience}
  // A client answers from what it asked seconds ago: each look is one of a client of its own.
  look := func(topics ...string) *kafka.MetadataResponse {
    fresh := &kafka.Client{Addr: client.Addr, Transport: &kafka.Transport{}}
    found, err := fresh.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
    show.Check(err)
    return found
  }
  create := func() error {
    created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
      Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 2,
        ReplicationFactor: min(3, len(brokers)), ConfigEntries: []kafka.ConfigEntry{
          {ConfigName: "retention.ms", ConfigValue: "3600000"}}}}})
    show.Check(err)
    return created.Errors[topic]
  }
  show.Check(create())
  show.Line(map[string]any{"again": errors.Is(create(), kafka.TopicAlreadyExists)})
  more, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
    Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 5}}})
  show.Check(err)
  show.Check(more.Errors[topic])
  altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
    Resources: []kafka.IncrementalAlterConfigsRequestResource{{
      ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
      Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "max.message.bytes",
        Value: "2000000", ConfigOperation: kafka.ConfigOperationSet}}}}})
  show.Check(err)
  show.Check(altered.Resources[0].Error)
  var metadata *kafka.MetadataResponse
  show.Until(func() bool {
    metadata = look(topic)
    return len(metadata.Topics[0].Partitions) == 5
  })
  show.Line(map[string]any{"partitions": len(metadata.Topics[0].Partitions),
    "replicas": len(metadata.Topics[0].Partitions[0].Replicas)})
  values := map[string]string{}
  show.Until(func() bool {
    configs, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
      Resources: []kafka.DescribeConfigRequestResource{{
        ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}}})
    show.Check(err)
    for _, entry := range configs.Resources[0].ConfigEntries {
      if entry.ConfigSource == 1 {
        values[entry.ConfigName] = entry.ConfigValue
      }
    }
    return len(values) == 2
  })
  show.Line(map[string]any{"configs": values})
  listed, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
    Topics: map[string][]kafka.OffsetRequest{other: {kafka.FirstOffsetOf(0),
      kafka.LastOffsetOf(0)}}})
  show.Check(err)
  row := listed.Topics[other][0]
  show.Check(row.Error)
  show.Line(map[string]any{"offsets": map[string]int64{"earliest": row.FirstOffset,
    "latest": row.LastOffset}})
  has := func() string {
    found, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{Addr: nil})
    show.Check(err)
    for _, one := range found.Groups {
      if one.GroupID == group {
        return "consumer"
      }
    }
    return ""
  }
  rows, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
  show.Check(err)
  show.Check(rows.Groups[0].Error)
  committed, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group,
    Topics: map[string][]int{other: {0}}})
  show.Check(err)
  show.Line(map[string]any{"listed": has(), "state": rows.Groups[0].GroupState,
    "committed": committed.Topics[other][0].CommittedOffset})
  deleted, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
  show.Check(err)
  show.Check(deleted.Errors[group])
  gone, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
  show.Check(err)
  show.Check(gone.Errors[topic])
  var kept bool
  show.Until(func() bool {
    metadata = look()
    kept = slices.ContainsFunc(metadata.Topics, func(one kafka.Topic) bool {
      return one.Name == topic
    })
    return !kept
  })
  show.Line(map[string]any{"group left": has() != "", "topic left": kept})
  ids := []int{}
  for _, broker := range metadata.Brokers {
    ids = append(ids, broker.ID)
  }
  slices.Sort(ids)
  show.Line(map[string]any{"brokers": ids,
    "controller": slices.Contains(ids, metadata.Controller.ID)})
}

// newest TOPIC: asks for the record with the largest timestamp of partition 0.
func newest(brokers, words []string) {
  ctx, stop := context.WithTimeout(context.Background(), show.Patience)
  defer stop()
  client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: show.Patience}
  listed, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
    Topics: map[string][]kafka.OffsetRequest{words[0]: {{Partition: 0, Timestamp: -3}}}})
  show.Check(err)
  row := listed.Topics[words[0]][0]
  for offset, at := range row.Offsets {
    show.Newest(0, offset, at.UnixMilli(), row.Error)
  }
}

func main() {
  brokers, words := show.Words()
  commands := map[string]func([]string, []string){
    "produce": produce, "consume": consume, "group": group, "admin": admin,
    "newest": newest}
  commands[words[0]](strings.Split(brokers, ","), words[1:])
}
