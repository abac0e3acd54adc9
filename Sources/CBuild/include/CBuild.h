/* What is only known while the program is built. */
const char *coordinator_build_commit(void);
