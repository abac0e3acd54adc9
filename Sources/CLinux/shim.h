/* What Linux has and Swift's Glibc module leaves out. */
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* Declared by glibc for _GNU_SOURCE alone, which the module above was not made with. */
int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

static const uint32_t coordinator_epollin = EPOLLIN;
static const int coordinator_epoll_cloexec = EPOLL_CLOEXEC;
static const int coordinator_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const int coordinator_accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
