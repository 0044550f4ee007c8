extension/core/forecast/price.o: extension/core/forecast/price.c \
 extension/core/forecast/price.h
extension/core/forecast/price.h:
