extension/pg/forecast.o: extension/pg/forecast.c extension/pg/binding.h \
 extension/pg/../core/outcome.h extension/pg/../core/forecast/eumf_k.h \
 extension/pg/../core/forecast/../outcome.h
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/forecast/eumf_k.h:
extension/pg/../core/forecast/../outcome.h:
