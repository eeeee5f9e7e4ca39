/* Tells a service manager how we are, where it asked to be told (NOTIFY_SOCKET). */
#ifndef EMT_MAIN_NOTIFY_H
#define EMT_MAIN_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=…"; nothing happens without a manager. */
void notify_manager(const char *state);

#endif
