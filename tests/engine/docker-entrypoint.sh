#!/bin/sh
# Plays the beginning of RabbitMQ's image: starts the server with the configuration that is in
# HOME/etc, at the ports that are published.
set -eu
[ "$1" = rabbitmq-server ]
printf 'listeners.tcp.local = 127.0.0.1:%s\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\n' \
    "$AMQP" "$MANAGEMENT" | cat - "$HOME/etc/conf.d/90-rmq-scenario.conf" >"$HOME/etc/rabbitmq.conf"
export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$HOME/etc/rabbitmq.conf"
export RABBITMQ_ADVANCED_CONFIG_FILE="$HOME/etc/advanced.config"
export RABBITMQ_ENABLED_PLUGINS_FILE="$HOME/etc/enabled_plugins"
export RABBITMQ_GENERATED_CONFIG_DIR="$HOME/generated" RABBITMQ_MNESIA_BASE="$HOME/data"
export RABBITMQ_LOG_BASE="$HOME/log" RABBITMQ_LOGS=- RABBITMQ_PID_FILE="$HOME/node.pid"
export RABBITMQ_NODENAME=rmq@localhost RABBITMQ_DIST_PORT="$DIST" RUNNING_UNDER_SYSTEMD=true
export ERL_EPMD_PORT="$EPMD" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP=/dev/null
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false -sname rmq@localhost -kernel inet_dist_listen_min $DIST -kernel inet_dist_listen_max $DIST"
epmd -port "$EPMD" -address 127.0.0.1 &
until epmd -port "$EPMD" -names >/dev/null 2>&1; do sleep 0.02; done
exec "$SERVER"
