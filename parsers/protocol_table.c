#include "protocol_table.h"

#include "dlms/dlms_decode.h"
#include "iec62056_21/iec_decode.h"
#include "mbus/mbus_decode.h"
#include "sml/sml_decode.h"

#include <stddef.h>

static const struct protocol_decoder decoders[] = {
    { PROTOCOL_WMBUS, wmbus_decode },     { PROTOCOL_MBUS, mbus_decode },
    { PROTOCOL_SML, sml_decode },         { PROTOCOL_SML_STREAM, sml_stream_decode },
    { PROTOCOL_IEC62056_21, iec_decode }, { PROTOCOL_DLMS, dlms_decode },
};

const struct protocol_decoder *protocol_decoder_find(enum protocol p)
{
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        if (decoders[i].protocol == p)
            return &decoders[i];
    return NULL;
}
