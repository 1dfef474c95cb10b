# Writes a record with kafka-python and reads the topic's first (Debian: apt install python3-kafka):
#
#     python3 kafka_python.py 127.0.0.1:9092 from-python
import sys
from kafka import KafkaConsumer, KafkaProducer

broker, topic = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=broker)
producer.send(topic, b"hello from kafka-python").get(timeout=30)
consumer = KafkaConsumer(topic, bootstrap_servers=broker, auto_offset_reset="earliest")
print(next(consumer).value.decode())
