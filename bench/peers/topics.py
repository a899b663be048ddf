"""Creates and deletes topics.

topics.py BROKERS list
topics.py BROKERS create TOPIC PARTITIONS
topics.py BROKERS delete TOPIC...
"""

import sys
import time

from confluent_kafka.admin import AdminClient, NewTopic

brokers, action, *arguments = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
if action == "list":
    admin.list_topics(timeout=5)
elif action == "create":
    topic, partitions = arguments[0], int(arguments[1])
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(30)
    deadline = time.monotonic() + 30
    while True:
        metadata = admin.list_topics(topic, timeout=10).topics[topic]
        if len(metadata.partitions) == partitions and all(each.leader >= 0 for each in metadata.partitions.values()):
            break
        if time.monotonic() > deadline:
            sys.exit(f"the partitions of {topic} have no leaders")
        time.sleep(0.05)
elif action == "delete":
    for future in admin.delete_topics(arguments).values():
        future.exception(30)
else:
    sys.exit(__doc__)
