/* Jobs ordered by a request: the answer is 202 with the job and its address. */
#ifndef EMT_API_API_JOB_H
#define EMT_API_API_JOB_H

#include "api_call.h"

/* Inside the transaction that ordered it. */
enum emt_err api_job_accepted(struct api_call *c, int64_t id);

#endif
