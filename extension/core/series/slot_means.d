extension/core/series/slot_means.o: extension/core/series/slot_means.c \
 extension/core/series/slot_means.h
extension/core/series/slot_means.h:
