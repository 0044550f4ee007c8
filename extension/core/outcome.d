extension/core/outcome.o: extension/core/outcome.c \
 extension/core/outcome.h
extension/core/outcome.h:
