/* Functions that we do not use, made to fail at compile time. Include last, in .c files. */
#ifndef EMT_BASE_BANNED_H
#define EMT_BASE_BANNED_H

#undef alloca /* stdlib.h makes it a macro */
#pragma GCC poison sprintf vsprintf strcpy strcat atoi atol strtok alloca gets

#endif
