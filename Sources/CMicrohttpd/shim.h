#include <microhttpd.h>

// Swift cannot call variadic functions: these only pass on.

static inline struct MHD_Daemon *coordinator_mhd_start(
    MHD_AccessHandlerCallback handler, MHD_RequestCompletedCallback completed,
    MHD_NotifyConnectionCallback notify,
    void *(*line)(void *, const char *, struct MHD_Connection *), void *owner, size_t memory,
    unsigned int connections) {
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
      handler, owner, MHD_OPTION_NOTIFY_COMPLETED, completed, owner,
      MHD_OPTION_NOTIFY_CONNECTION, notify, owner, MHD_OPTION_URI_LOG_CALLBACK, line, owner,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory, MHD_OPTION_CONNECTION_LIMIT, connections,
      MHD_OPTION_STRICT_FOR_CLIENT, (int)1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1,
      MHD_OPTION_END);
}

static inline int coordinator_mhd_epoll(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info == NULL ? -1 : info->epoll_fd;
}

static inline int coordinator_mhd_descriptor(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == NULL ? -1 : info->connect_fd;
}

static inline void *coordinator_mhd_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}

static inline size_t coordinator_mhd_header_size(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info == NULL ? 0 : info->header_size;
}

// MHD_CONTENT_READER_END_OF_STREAM and MHD_SIZE_UNKNOWN are macros with casts, which Swift cannot read.
static const ssize_t coordinator_mhd_end_of_stream = -1;
static const uint64_t coordinator_mhd_size_unknown = UINT64_MAX;

// The enumerations, by names that do not hang on how Swift cuts prefixes.
static const enum MHD_Result coordinator_mhd_yes = MHD_YES;
static const enum MHD_Result coordinator_mhd_no = MHD_NO;
static const enum MHD_ValueKind coordinator_mhd_headers = MHD_HEADER_KIND;
static const enum MHD_ResponseMemoryMode coordinator_mhd_copy = MHD_RESPMEM_MUST_COPY;
static const enum MHD_ConnectionNotificationCode coordinator_mhd_started =
    MHD_CONNECTION_NOTIFY_STARTED;
