for c in confluent_kafka:confluent-kafka kafka_python:kafka-python kafka_python_old:kafka-python-2.0.2 aiokafka:aiokafka; do m=${c%%:*} n=${c#*:}
{ case $m in kafka_python*) grep -oE '^(async )?def case_[a-z0-9_]*' kafka_python_shared.py;; esac; grep -oE '^(async )?def case_[a-z0-9_]*' ${m}_cases.py; } | sed "s/.*def case_/$n\//"; done
