/*
 * What the bindings of EBR planning share.
 */
#ifndef SMARTHG_PG_EBR_H
#define SMARTHG_PG_EBR_H

#include "binding.h"

#include "../core/ebr/problem.h"

/* The first 27 arguments of ebr_solve, demand_kw to objective, as a problem; nothing else of it is
 * set: no previous plan, no least power. */
extern void ebr_problem_arguments(FunctionCallInfo fcinfo, ebr_problem *problem);

#endif
