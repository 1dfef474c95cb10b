// What the compatibility tests do with github.com/IBM/sarama: sarama BROKERS COMMAND ARGUMENT...
package main

import (
  "context"
  "os"
  "os/signal"
  "slices"
  "strings"
  "syscall"
  "time"

  "github.com/IBM/sarama"

  "compatibility/show"
)

var codecs = map[string]sarama.CompressionCodec{
  "none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
  "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4,
  "zstd": sarama.CompressionZSTD,
}

func settings() *sarama.Config {
  config := sarama.NewConfig()
  if version := os.Getenv("SARAMA_VERSION"); version != "" {
    parsed, err := sarama.ParseKafkaVersion(version)
    show.Check(err)
    config.Version = parsed
  }
  config.Producer.Return.Successes = true
  config.Producer.Retry.Max = 100
  config.Metadata.Retry.Max = 20
  config.Consumer.Offsets.Initial = sarama.OffsetOldest
  return config
}

// produce TOPIC FIRST COUNT CODEC ACKS, where acks "idempotent" are all with idempotence.
func produce(brokers, words []string) {
  config := settings()
  topic, first, count := words[0], show.Number(words[1]), show.Number(words[2])
  config.Producer.Compression = codecs[words[3]]
  if words[4] == "idempotent" {
    config.Producer.Idempotent = true
    config.Producer.RequiredAcks = sarama.WaitForAll
    config.Net.MaxOpenRequests = 1
  } else {
    config.Producer.RequiredAcks = sarama.RequiredAcks(show.Number(words[4]))
  }
  producer, err := sarama.NewAsyncProducer(brokers, config)
  show.Check(err)
  go func() {
    for i := first; i < first+count; i++ {
      producer.Input() <- &sarama.ProducerMessage{
        Topic: topic, Key: sarama.ByteEncoder(show.Key(i)),
        Value: sarama.ByteEncoder(show.Value(i)), Timestamp: show.Time(i),
        Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: show.Value(i)}},
      }
    }
    producer.AsyncClose()
  }()
  sent := 0
  failed := make(chan error, 1)
  go func() {
    var last error
    for err := range producer.Errors() {
      last = err
    }
    failed <- last
  }()
  for range producer.Successes() {
    sent++
    if sent == 1 {
      show.Line(map[string]bool{"begun": true})
    }
  }
  show.Check(<-failed)
  show.Line(map[string]int{"sent": sent})
}

func read(m *sarama.ConsumerMessage) show.Record {
  headers := map[string]string{}
  for _, header := range m.Headers {
    headers[string(header.Key)] = string(header.Value)
  }
  return show.Record{Partition: m.Partition, Offset: m.Offset, Key: string(m.Key),
    Value: string(m.Value), Headers: headers, TimeMs: m.Timestamp.UnixMilli()}
}

// consume TOPIC PARTITION FROM COUNT: from an offset, or from a time after an @.
func consume(brokers, words []string) {
  client, err := sarama.NewClient(brokers, settings())
  show.Check(err)
  topic, partition := words[0], int32(show.Number(words[1]))
  var from int64
  if at, timed := strings.CutPrefix(words[2], "@"); timed {
    from, err = client.GetOffset(topic, partition, show.Number(at))
    show.Check(err)
  } else {
    from = show.Number(words[2])
  }
  consumer, err := sarama.NewConsumerFromClient(client)
  show.Check(err)
  messages, err := consumer.ConsumePartition(topic, partition, from)
  show.Check(err)
  for left := show.Number(words[3]); left > 0; left-- {
    show.Line(read(<-messages.Messages()))
  }
  show.Check(consumer.Close())
}

type member struct{ topic string }

func (m member) Setup(session sarama.ConsumerGroupSession) error {
  show.Shares(session.Claims()[m.topic])
  return nil
}

func (member) Cleanup(session sarama.ConsumerGroupSession) error {
  session.Commit()
  return nil
}

func (member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
  for {
    select {
    case message, open := <-c.Messages():
      if !open {
        return nil
      }
      show.Line(read(message))
      s.MarkMessage(message, "")
    case <-s.Context().Done():
      return nil
    }
  }
}

// group GROUP TOPIC: a member until it is told to end.
func group(brokers, words []string) {
  config := settings()
  config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
  config.Consumer.Group.Session.Timeout = 6 * time.Second
  config.Consumer.Group.Heartbeat.Interval = time.Second
  consumer, err := sarama.NewConsumerGroup(brokers, words[0], config)
  show.Check(err)
  ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
  defer stop()
  for ctx.Err() == nil {
    show.Check(consumer.Consume(ctx, words[1:], member{words[1]}))
  }
  show.Check(consumer.Close())
}

// admin TOPIC GROUP: what an operator does; the group has read the topic OTHER.
func admin(brokers, words []string) {
  topic, group, other := words[0], words[1], words[2]
  client, err := sarama.NewClient(brokers, settings())
  show.Check(err)
  admin, err := sarama.NewClusterAdminFromClient(client)
  show.Check(err)
  replicas := int16(min(3, len(brokers)))
  show.Check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2,
    ReplicationFactor: replicas, ConfigEntries: map[string]*string{
      "retention.ms": ptr("3600000")}}, false))
  again := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2,
    ReplicationFactor: replicas}, false)
  show.Line(map[string]any{"again": strings.Contains(again.Error(), "already exists")})
  show.Check(admin.CreatePartitions(topic, 5, nil, false))
  show.Check(admin.IncrementalAlterConfig(sarama.TopicResource, topic,
    map[string]sarama.IncrementalAlterConfigsEntry{"max.message.bytes": {
      Operation: sarama.IncrementalAlterConfigsOperationSet, Value: ptr("2000000")}}, false))
  var described []*sarama.TopicMetadata
  show.Until(func() bool {
    described, err = admin.DescribeTopics([]string{topic})
    show.Check(err)
    return len(described[0].Partitions) == 5
  })
  show.Line(map[string]any{"partitions": len(described[0].Partitions),
    "replicas": len(described[0].Partitions[0].Replicas)})
  values := map[string]string{}
  show.Until(func() bool {
    configs, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource,
      Name: topic})
    if err != nil {
      return false
    }
    for _, entry := range configs {
      if !entry.Default {
        values[entry.Name] = entry.Value
      }
    }
    return len(values) == 2
  })
  show.Line(map[string]any{"configs": values})
  offsets := map[string]int64{}
  for name, at := range map[string]int64{"earliest": -2, "latest": -1} {
    offsets[name], err = client.GetOffset(other, 0, at)
    show.Check(err)
  }
  show.Line(map[string]any{"offsets": offsets})
  groups, err := admin.ListConsumerGroups()
  show.Check(err)
  rows, err := admin.DescribeConsumerGroups([]string{group})
  show.Check(err)
  committed, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{other: {0}})
  show.Check(err)
  show.Line(map[string]any{"listed": groups[group], "state": rows[0].State,
    "committed": committed.GetBlock(other, 0).Offset})
  show.Check(admin.DeleteConsumerGroup(group))
  groups, err = admin.ListConsumerGroups()
  show.Check(err)
  _, left := groups[group]
  show.Check(admin.DeleteRecords(other, map[int32]int64{0: 10}))
  first, err := client.GetOffset(other, 0, sarama.OffsetOldest)
  show.Check(err)
  show.Check(admin.DeleteTopic(topic))
  var kept bool
  show.Until(func() bool {
    topics, err := admin.ListTopics()
    show.Check(err)
    _, kept = topics[topic]
    return !kept
  })
  show.Line(map[string]any{"group left": left, "topic left": kept, "first": first})
  brokerRows, controller, err := admin.DescribeCluster()
  show.Check(err)
  ids := []int32{}
  for _, broker := range brokerRows {
    ids = append(ids, broker.ID())
  }
  slices.Sort(ids)
  show.Line(map[string]any{"brokers": ids, "controller": slices.Contains(ids, controller)})
}

// newest TOPIC: asks for the record with the largest timestamp of partition 0.
func newest(brokers, words []string) {
  client, err := sarama.NewClient(brokers, settings())
  show.Check(err)
  offset, err := client.GetOffset(words[0], 0, -3)
  show.Newest(0, offset, -1, err)
  show.Check(client.Close())
}

func ptr(text string) *string { return &text }

func main() {
  brokers, words := show.Words()
  commands := map[string]func([]string, []string){
    "produce": produce, "consume": consume, "group": group, "admin": admin,
    "newest": newest}
  commands[words[0]](strings.Split(brokers, ","), words[1:])
}
