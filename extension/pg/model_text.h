/*
 * What the bindings share that write models as text.
 */
#ifndef SMARTHG_PG_MODEL_TEXT_H
#define SMARTHG_PG_MODEL_TEXT_H

#include "binding.h"

#include "../core/ebr/model_text.h"

/* A format argument, lp or mps. Errors: 22004, 22023. */
extern milp_format format_argument(FunctionCallInfo fcinfo, int number);

/* Writes a problem of the core by a function of the core; cancelled with the query. */
typedef outcome_status (*model_writer)(const void *problem, milp_format format,
                                       const solver_limits *limits, milp_text *model,
                                       outcome *failed);

extern text *model_text(model_writer write, const void *problem, milp_format format);

#endif
