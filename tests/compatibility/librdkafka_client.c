/* Writes COUNT records with an idempotent producer, reads them back, and says how many were
 * delivered and read, and whether they came in order: librdkafka_client BROKERS TOPIC COUNT */
#include <librdkafka/rdkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long delivered = 0;
static long failed = 0;
static long next_offset = 0;
static int offsets_ascend = 1;

static void on_delivery(rd_kafka_t* producer, const rd_kafka_message_t* record, void* opaque) {
  (void)producer;
  (void)opaque;
  if (record->err) {
    fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(record->err));
    ++failed;
    return;
  }
  offsets_ascend = offsets_ascend && record->offset == next_offset;
  ++next_offset;
  ++delivered;
}

static rd_kafka_t* make_client(rd_kafka_type_t type, const char* brokers) {
  char why[512];
  rd_kafka_conf_t* settings = rd_kafka_conf_new();
  if (rd_kafka_conf_set(settings, "bootstrap.servers", brokers, why, sizeof why) ||
      (type == RD_KAFKA_PRODUCER &&
       rd_kafka_conf_set(settings, "enable.idempotence", "true", why, sizeof why))) {
    fprintf(stderr, "%s\n", why);
    exit(1);
  }
  rd_kafka_conf_set_dr_msg_cb(settings, on_delivery);
  rd_kafka_t* client = rd_kafka_new(type, settings, why, sizeof why);
  if (!client) {
    fprintf(stderr, "%s\n", why);
    exit(1);
  }
  return client;
}

static void write_all(const char* brokers, const char* topic, long count) {
  rd_kafka_t* producer = make_client(RD_KAFKA_PRODUCER, brokers);
  for (long i = 0; i < count;) {
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                          RD_KAFKA_V_VALUE(&i, sizeof i),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (!error)
      ++i;
    rd_kafka_poll(producer, error ? 100 : 0);
  }
  rd_kafka_flush(producer, 30000);
  rd_kafka_destroy(producer);
}

static long read_all(const char* brokers, const char* topic, long count) {
  rd_kafka_t* consumer = make_client(RD_KAFKA_CONSUMER, brokers);
  rd_kafka_topic_t* from = rd_kafka_topic_new(consumer, topic, NULL);
  long read = 0;
  int silence = 0;
  rd_kafka_consume_start(from, 0, RD_KAFKA_OFFSET_BEGINNING);
  while (read < count && silence < 30) {
    rd_kafka_message_t* record = rd_kafka_consume(from, 0, 1000);
    long value = -1;
    if (!record || record->err) {
      ++silence;
    } else {
      memcpy(&value, record->payload, sizeof value);
      if (value != read)
        break;
      ++read;
    }
    if (record)
      rd_kafka_message_destroy(record);
  }
  rd_kafka_consume_stop(from, 0);
  rd_kafka_topic_destroy(from);
  rd_kafka_destroy(consumer);
  return read;
}

int main(int argc, char** argv) {
  if (argc != 4)
    return 64;
  const long count = atol(argv[3]);
  write_all(argv[1], argv[2], count);
  const long read = read_all(argv[1], argv[2], count);
  printf("delivered %ld failed %ld ascending %d read %ld\n", delivered, failed, offsets_ascend,
         read);
  return delivered == count && failed == 0 && offsets_ascend && read == count ? 0 : 1;
}
