/*
 * Mirror commands by REQUEST, as text.
 */
#include "mirror_model.h"

#include <inttypes.h>
#include <stdio.h>

#include "../../bridge/codec/reading.h"
#include "../../bridge/codec/zcl_mirror.h"

uint8_t mirror_model_execute(uint64_t gateway, const struct request *request)
{
	struct cursor body = request->body;
	const uint8_t *address = cursor_take(&body, ZCL_ADDRESS_SIZE);
	const uint8_t *telegram = cursor_take(&body, ZCL_MIRROR_FRAME_SIZE);
	struct zcl_address device;
	struct zcl_frame frame;
	struct zcl_mirror mirror;

	if (!address || !telegram || !zcl_address_read(address, ZCL_ADDRESS_SIZE, &device) ||
	    !zcl_read(telegram, ZCL_MIRROR_FRAME_SIZE, &frame) ||
	    zcl_mirror_read(&frame, &mirror) != ZCL_MIRROR)
		return RESULT_MALFORMED;
	printf("gateway=%016" PRIx64 " request=%" PRIu64 " mirror=%s device=%016" PRIx64
	       "/%u profile=%04x cluster=%04x endpoint=%u\n",
	       gateway, request->id, zcl_mirror_name(mirror.command), device.device, device.endpoint,
	       device.profile, device.cluster, mirror.endpoint);
	return RESULT_OK;
}
