/* What a file holds, as JSON: for MSCONS the interchange, its messages, their registers with number
 * of values, exact sum, first and last instant and count per qualifier; for CONTRL and APERAK what
 * they say about which file. */
#ifndef EMT_CONNECTORS_MSCONS_SHOW_H
#define EMT_CONNECTORS_MSCONS_SHOW_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stddef.h>

/* MSCONS:
 * {"interchange":{sender,receiver,ref,app,test,created},"messages":[{ref,pid,version,bgm,doc,function,date,loc,
 * device,config,cancels,lines:[{obis,n,sum,from,to,qty:{qualifier:count}}]}]}; null for what a
 * message lacks. CONTRL: {type,kind,interchange[,message][,segment][,error][,element][,component]},
 * APERAK: {type,kind,erc,interchange,document}. Tolerant: shows what can be read of a file that
 * breaks rules. out: JSON is appended, one object and a line end. EMT_EUNSUPPORTED no EDIFACT file
 * or another message type; EMT_ETRUNCATED, EMT_EMALFORMED, EMT_ELIMIT of the syntax, with the place
 * in diag; EMT_ELIMIT also when out is full. */
EMT_CHECKED enum emt_err mscons_show(const void *data, size_t len, struct writer *out,
                                     struct emt_diag *diag);

#endif
