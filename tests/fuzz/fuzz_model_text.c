/*
 * Any bytes as a model, in the format that the first byte says: read by GLPK's
 * own reader and solved within limits, to an answer or an error with its
 * reason, the same a second time; what GLPK holds is freed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../extension/core/milp/model_solution.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool ended_by_limit(outcome_status status)
{
	return status == OUTCOME_TIME_LIMIT || status == OUTCOME_MEMORY_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const solver_limits limits = {.seconds = 1, .memory_mb = 64};
	milp_solution first, second;
	outcome_status status, again;
	milp_format format;
	outcome out = {0};

	if (size == 0)
		return 0;
	format = bytes[0] == 'M' ? MILP_MPS : MILP_LP;
	status = milp_solve((const char *)bytes + 1, size - 1, format, &limits, &first, &out);
	if (status != OUTCOME_OK && out.message[0] == '\0')
		abort();
	if (status == OUTCOME_BAD_INPUT && out.detail[0] == '\0')
		abort();
	if (status == OUTCOME_INTERRUPTED || (status == OUTCOME_OK && first.status == MILP_FEASIBLE))
		abort();
	again = milp_solve((const char *)bytes + 1, size - 1, format, &limits, &second, &out);
	if (!ended_by_limit(status) && !ended_by_limit(again) &&
	    (status != again || (status == OUTCOME_OK && first.status != second.status)))
		abort();
	if (status == OUTCOME_OK && again == OUTCOME_OK && first.items &&
	    (first.variables != second.variables || first.constraints != second.constraints))
		abort();
	milp_solution_free(&first);
	milp_solution_free(&second);
	return 0;
}
